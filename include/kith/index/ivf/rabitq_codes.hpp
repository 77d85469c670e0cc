// kith/index/ivf/rabitq_codes.hpp — lists of residuals in one bit an element, with an unbiased distance and its bound.
//
// A vector x in the list of centroid c is coded by the signs v of its residual r = x − c, rotated at random by P. With
// the scale f = ‖r‖² / ⟨Pr, v⟩, the product of r with any vector y is f · ⟨Py, v⟩ and an error that is 0 on average and
// rarely beyond ε₀ · e · ‖y‖, where e² = (f² ‖v‖² − ‖r‖²) / (width − 1). So the distance from a query q is
//
//   ‖q − x‖² = ‖q − c‖² + ‖r‖² − 2⟨q − c, r⟩ ≈ ‖q − c‖² + s − 2f · ⟨P(q − μ), v⟩     s = ‖r‖² + 2f · ⟨P(c − μ), v⟩
//
// where μ is the mean of all, and is rarely less than that by more than 2 ε₀ · e · ‖q − c‖. The products with v come
// from tables that do not depend on the list, so a query is rotated once; s, 2f and 2e are stored beside the code.
// Cosine is half of L2 of vectors of length one. For InnerProduct −⟨q, x⟩ = −⟨q, c⟩ − ⟨c, r⟩ − ⟨q − c, r⟩, so
// s = −⟨c, r⟩ + f · ⟨P(c − μ), v⟩, and the rest is the same without the factor 2.
//
// A piece of a code is 4 elements, and its 16 words are the corners ±1: so a block is scanned as product codes are.
//
// Thread safety: codes are immutable; an encoder belongs to one thread.
// Source: Gao & Long, "RaBitQ", arXiv:2405.12497, sections 3.2, 3.3 and 4; the split, which is theirs but for μ, spares
// a rotation and new tables for each list.
#pragma once

#include "kith/core/error.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/index/ivf/format.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/ivf/params.hpp"
#include "kith/quantize/centroids.hpp"
#include "kith/quantize/packed_scorer.hpp"
#include "kith/quantize/rabitq.hpp"
#include "kith/quantize/rotation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class IvfRaBitQCodes {
public:
    static constexpr bool coded = true;
    static constexpr float confidence = RaBitQ<1>::confidence;
    static constexpr std::string_view content = "rabitq1";  // on disk
    static constexpr std::size_t piece = 4;                 // elements

    class Encoder;
    class Tables;
    template <class R>
    class Scan;

    /// Throws: Errc::invalid_argument.
    static void check(const IvfParams&, std::size_t dim) {
        if (dim <= most_dim) return;
        raise(Errc::invalid_argument, "Ivf: bits of vectors of up to " + std::to_string(most_dim) +
                                          " elements can be listed, not of " + std::to_string(dim));
    }

    [[nodiscard]] static IvfRaBitQCodes train(const IvfLesson& lesson) {
        lesson.training.report(1);
        return {mean_of_sample(lesson.sample), lesson.training.seed};
    }

    [[nodiscard]] static std::size_t pieces_for(const IvfParams&, std::size_t dim) noexcept {
        return Rotation::padded_dim(dim) / piece;
    }
    [[nodiscard]] static bool possible(const IvfHeader& header) noexcept {
        return header.dim <= most_dim && header.subvectors == (header.dim + 15) / 16 * 16 / piece;
    }
    [[nodiscard]] static IvfParts parts(const IvfHeader& header) noexcept {
        return {header.dim, 0, FastScanLayout::bounded_block_bytes(FastScanLayout::pairs(header.subvectors))};
    }
    [[nodiscard]] static IvfRaBitQCodes load(const IvfHeader& header, std::vector<float> mean,
                                             const std::vector<float>&) {
        return {std::move(mean), header.rotation_seed};
    }
    void describe(IvfHeader& header) const noexcept {
        header.subvectors = static_cast<std::uint32_t>(pieces());
        header.rotation_seed = seed_;
    }

    IvfRaBitQCodes() noexcept = default;

    [[nodiscard]] const std::vector<float>& mean() const noexcept { return mean_; }
    [[nodiscard]] const std::vector<float>& words() const noexcept { return nothing_; }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return FastScanLayout::bounded_block_bytes(pairs()); }

    [[nodiscard]] const Rotation& rotation() const noexcept { return *rotation_; }
    [[nodiscard]] const FastScanKernels& kernels() const noexcept { return kernels_; }
    [[nodiscard]] std::size_t width() const noexcept { return rotation_ ? rotation_->padded_dim() : 0; }
    [[nodiscard]] std::size_t pieces() const noexcept { return width() / piece; }
    [[nodiscard]] std::size_t pairs() const noexcept { return FastScanLayout::pairs(pieces()); }

private:
    static constexpr std::size_t most_dim = IvfParams::most_subvectors * piece;

    IvfRaBitQCodes(std::vector<float> mean, std::uint64_t seed)
        : mean_(std::move(mean)), seed_(seed), rotation_(std::in_place, mean_.size(), seed) {}

    std::vector<float> mean_;           // μ
    std::vector<float> nothing_;        // for there are no words to keep
    std::uint64_t seed_ = 0;            // of rotation_
    std::optional<Rotation> rotation_;  // P; none before it is trained
    FastScanKernels kernels_ = fast_scan_kernels(best_isa());
};

static_assert(IvfCodes<IvfRaBitQCodes>);

/// A vector on its way into a block. Memory for one at a time.
class IvfRaBitQCodes::Encoder {
public:
    Encoder(const IvfRaBitQCodes& codes, const Centroids& centroids, IvfForm form)
        : codes_(codes),
          centroids_(centroids),
          form_(form),
          vector_(centroids.dim()),
          residual_(centroids.dim()),
          rotated_(codes.width()),
          centre_(codes.width()) {}

    /// Where the caller puts the next vector: as many elements as centroids have.
    [[nodiscard]] float* vector() noexcept { return vector_.data(); }

    /// Codes the vector as one of `list` and writes it as vector `at` of a block.
    void put(std::size_t list, std::byte* record, std::size_t at) noexcept {
        enter(list);
        const float* const centroid = centroids_.row(list);
        for (std::size_t d = 0; d < centroids_.dim(); ++d) residual_[d] = vector_[d] - centroid[d];
        codes_.rotation().apply(residual_.data(), rotated_.data());
        write_signs(record, at);
        const Numbers numbers = numbers_of(centroid);
        std::byte* const to = record + FastScanLayout::code_bytes(codes_.pairs()) + at * sizeof(float);
        constexpr std::size_t row = FastScanLayout::vectors * sizeof(float);
        store_f32(to, numbers.bias);
        store_f32(to + row, numbers.scale);
        store_f32(to + 2 * row, numbers.error);
    }

private:
    /// s, 2f and 2e.
    struct Numbers {
        float bias = 0;
        float scale = 0;
        float error = 0;
    };

    /// Rotates c − μ of a list that is not the last one's. What is coded at once comes list by list.
    void enter(std::size_t list) noexcept {
        if (list_ == list) return;
        list_ = list;
        const float* const centroid = centroids_.row(list);
        for (std::size_t d = 0; d < centroids_.dim(); ++d) residual_[d] = centroid[d] - codes_.mean()[d];
        codes_.rotation().apply(residual_.data(), centre_.data());
    }

    void write_signs(std::byte* record, std::size_t at) const noexcept {
        for (std::size_t pair = 0; pair < codes_.pairs(); ++pair) {
            unsigned signs = 0;
            for (unsigned bit = 0; bit < 2 * piece; ++bit) {
                signs |= (rotated_[2 * piece * pair + bit] < 0 ? 0U : 1U) << bit;
            }
            record[pair * FastScanLayout::vectors + at] = static_cast<std::byte>(signs);
        }
    }

    [[nodiscard]] Numbers numbers_of(const float* centroid) const noexcept {
        constexpr std::size_t lanes = 8;  // sums side by side, which the compiler may keep in registers
        double lengths[lanes] = {}, squares[lanes] = {}, centres[lanes] = {};
        for (std::size_t i = 0; i < codes_.width(); ++i) {
            const double element = rotated_[i], centre = centre_[i];
            lengths[i % lanes] += std::abs(element);
            squares[i % lanes] += element * element;
            centres[i % lanes] += element < 0 ? -centre : centre;
        }
        double length = 0, square = 0, of_centre = 0;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            length += lengths[lane];
            square += squares[lane];
            of_centre += centres[lane];
        }
        const auto width = static_cast<double>(codes_.width());
        const double weight = static_cast<double>(form_.weight);
        const double scale = length > 0 ? square / length : 0;
        double bias = weight / 2 * square;
        if (form_.product) {
            bias = 0;
            for (std::size_t d = 0; d < centroids_.dim(); ++d) {
                bias -= static_cast<double>(centroid[d]) * static_cast<double>(residual_[d]);
            }
        }
        const double error = std::sqrt(std::max(0.0, scale * scale * width - square) / (width - 1));
        const Numbers numbers{static_cast<float>(bias + weight * scale * of_centre), static_cast<float>(weight * scale),
                              static_cast<float>(weight * error)};
        if (std::isfinite(numbers.bias) && std::isfinite(numbers.scale) && std::isfinite(numbers.error)) return numbers;
        // Near the largest numbers nothing can be said of the distance: every search compares this vector.
        return {-std::numeric_limits<float>::infinity(), 0, 0};
    }

    const IvfRaBitQCodes& codes_;
    const Centroids& centroids_;
    IvfForm form_;
    std::vector<float> vector_;
    std::vector<float> residual_;
    std::vector<float> rotated_;
    std::vector<float> centre_;  // c − μ of list_, rotated
    std::size_t list_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace kith::inline v0::detail
