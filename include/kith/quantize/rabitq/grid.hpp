// kith/quantize/rabitq/grid.hpp — the point of a grid whose direction is nearest to that of a vector.
//
// All that counts is the angle, so the vector may be stretched before it is rounded. Which stretch is best depends on
// the vector: some are tried, and the best is improved in steps.
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

    /// Of a stretched vector and the point it is rounded to.
    struct Trial {
        float stretch = 0;
        float cosine = 0;        // squared, up to a factor that is the same for every stretch
        float next_stretch = 0;  // where the point lies nearest
    };

    /// The stretch of the largest cosine: the best of some, from one that clips nothing on for as long as clipping may
    /// pay, and then from each point to the stretch it lies nearest to, which only gains.
    static float best_stretch(const float* u, std::size_t dim, float largest) noexcept {
        if constexpr (bits == 1) {
            return 0;  // one level is no choice
        } else {
            constexpr float first = 0.95F, ratio = bits <= 4 ? 1.12F : 1.03F;  // finer grids clip less
            constexpr int most_worse = bits <= 4 ? 2 : 3;  // so many steps past the best, there is no second top
            constexpr int most_rounds = 4;
            const float whole = (static_cast<float>(top_level) + (bits == 8 ? 0.0F : 1.0F)) / largest;
            Trial best;
            int worse = 0;
            for (float factor = first; worse < most_worse && factor < static_cast<float>(1 << bits); factor *= ratio) {
                worse = take_better(best, attempt(u, dim, whole * factor, largest)) ? 0 : worse + 1;
            }
            for (int round = 0; round < most_rounds; ++round) {
                if (!take_better(best, attempt(u, dim, best.next_stretch, largest))) break;
            }
            return best.stretch;
        }
    }

    static bool take_better(Trial& best, const Trial& trial) noexcept {
        if (!(trial.cosine > best.cosine)) return false;
        best = trial;
        return true;
    }

    static Trial attempt(const float* u, std::size_t dim, float stretch, float largest) noexcept {
        constexpr std::size_t lanes = 16;  // sums side by side, which a compiler can turn into vectors
        float products[lanes] = {}, squares[lanes] = {};
        const std::size_t whole = dim - dim % lanes;
        for (std::size_t i = 0; i < whole; i += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                const float absolute = std::abs(u[i + lane]);
                const auto at = static_cast<float>(value_of(level_of(absolute, stretch)));
                products[lane] += absolute * at;
                squares[lane] += at * at;
            }
        }
        for (std::size_t i = whole; i < dim; ++i) {
            const auto at = static_cast<float>(value_of(level_of(std::abs(u[i]), stretch)));
            products[0] += std::abs(u[i]) * at;
            squares[0] += at * at;
        }
        float product = 0, square = 0;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            product += products[lane];
            square += squares[lane];
        }
        const float of_largest = product / largest;  // whose square stays within the range of a float
        return {stretch, square > 0 ? of_largest * of_largest / square : 0, product > 0 ? square / product : stretch};
    }
};

}  // namespace detail

}  // namespace kith::inline v0
