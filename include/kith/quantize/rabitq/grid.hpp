// kith/quantize/rabitq/grid.hpp — the point of a grid whose direction is nearest to that of a vector.
//
// All that counts is the angle, so the vector may be stretched before it is rounded. Which stretch is best depends on
// the vector: some are tried, and the best result is then improved element by element.
//
// Source: arXiv:2409.09913, section 4 (codes of the largest cosine); the search here is not theirs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// Of a vector u and a point v of the grid.
struct GridFit {
    double product = 0;  // ⟨u, v⟩
    double squares = 0;  // ‖v‖²
};

/// Points whose elements are odd numbers from 1 − 2^bits to 2^bits − 1. Those of 8 bits would not fit a byte, so there
/// they are all numbers from −127 to 127: so fine a grid can do without the better middle.
template <unsigned bits>
class RaBitQGrid {
public:
    static constexpr int unit = bits == 8 ? 1 : 2;
    static constexpr int zero = bits == 8 ? 128 : (1 << bits) - 1;

    /// What an element of a code stands for.
    [[nodiscard]] static constexpr int value(std::uint8_t element) noexcept { return unit * element - zero; }

    /// Finds the point nearest in direction to `u` and writes its elements as codes hold them.
    static GridFit fit(const float* u, std::size_t dim, std::uint8_t* elements) noexcept {
        float largest = 0;
        for (std::size_t i = 0; i < dim; ++i) largest = std::max(largest, std::abs(u[i]));
        if (!(largest > smallest)) {  // no direction
            for (std::size_t i = 0; i < dim; ++i) elements[i] = static_cast<std::uint8_t>((unit + zero) / unit);
            return {};
        }
        const float stretch = best_stretch(u, dim, largest);
        GridFit found;
        for (std::size_t i = 0; i < dim; ++i) {
            const int level = level_of(std::abs(u[i]), stretch);
            const int at = value_of(level);
            found.product += static_cast<double>(std::abs(u[i])) * at;
            found.squares += static_cast<double>(at) * at;
            elements[i] = static_cast<std::uint8_t>(level);
        }
        if constexpr (bits > 1) improve(u, dim, elements, found);
        for (std::size_t i = 0; i < dim; ++i) {
            const int at = u[i] < 0 ? -value_of(elements[i]) : value_of(elements[i]);
            elements[i] = static_cast<std::uint8_t>((at + zero) / unit);
        }
        return found;
    }

private:
    static constexpr int top_level = bits == 8 ? 127 : (1 << (bits - 1)) - 1;
    static constexpr float smallest = 1e-30F;  // below, squares and quotients leave the range of a float

    /// What the level of an absolute value stands for.
    static constexpr int value_of(int level) noexcept { return bits == 8 ? level : 2 * level + 1; }

    static int level_of(float absolute, float stretch) noexcept {
        const float place = absolute * stretch + (bits == 8 ? 0.5F : 0.0F);
        return static_cast<int>(std::min(place, static_cast<float>(top_level)));
    }

    /// The stretch of the largest cosine: from one that clips nothing on, for as long as clipping may pay.
    static float best_stretch(const float* u, std::size_t dim, float largest) noexcept {
        if constexpr (bits == 1) {
            return 0;  // one level is no choice
        } else {
            constexpr float first = 0.95F, ratio = 1.06F;
            constexpr int most_worse = 3;  // so many steps past the best, there is no second top
            const float whole = (static_cast<float>(top_level) + (bits == 8 ? 0.0F : 1.0F)) / largest;
            float best = whole;
            float best_cosine = 0;
            int worse = 0;
            for (float factor = first; worse < most_worse && factor < static_cast<float>(1 << bits); factor *= ratio) {
                const float cosine = cosine_at(u, dim, whole * factor, largest);
                if (cosine > best_cosine) {
                    best_cosine = cosine;
                    best = whole * factor;
                    worse = 0;
                } else {
                    ++worse;
                }
            }
            return best;
        }
    }

    /// The squared cosine, up to a factor that is the same for every stretch.
    static float cosine_at(const float* u, std::size_t dim, float stretch, float largest) noexcept {
        constexpr std::size_t lanes = 8;  // sums side by side, which a compiler can turn into vectors
        float products[lanes] = {}, squares[lanes] = {};
        const float unit_of_u = 1 / largest;
        const auto add = [&](std::size_t i, std::size_t lane) {
            const float absolute = std::abs(u[i]);
            const auto at = static_cast<float>(value_of(level_of(absolute, stretch)));
            products[lane] += absolute * unit_of_u * at;
            squares[lane] += at * at;
        };
        std::size_t i = 0;
        for (; i + lanes <= dim; i += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane) add(i + lane, lane);
        }
        for (; i < dim; ++i) add(i, i % lanes);
        float product = 0, square = 0;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            product += products[lane];
            square += squares[lane];
        }
        return square > 0 ? product * product / square : 0;
    }

    /// Moves single elements a level up or down as long as the cosine grows, at most a few times through.
    static void improve(const float* u, std::size_t dim, std::uint8_t* levels, GridFit& found) noexcept {
        constexpr int passes = 3;
        for (int pass = 0; pass < passes; ++pass) {
            bool moved = false;
            for (std::size_t i = 0; i < dim; ++i) {
                const double absolute = std::abs(u[i]);
                for (const int step : {-1, 1}) {
                    const int level = levels[i] + step;
                    if (level < 0 || level > top_level) continue;
                    const double from = value_of(levels[i]), to = value_of(level);
                    const double product = found.product + absolute * (to - from);
                    const double squares = found.squares + to * to - from * from;
                    if (product * product * found.squares > found.product * found.product * squares) {
                        found = {product, squares};
                        levels[i] = static_cast<std::uint8_t>(level);
                        moved = true;
                    }
                }
            }
            if (!moved) break;
        }
    }
};

}  // namespace detail

}  // namespace kith::inline v0
