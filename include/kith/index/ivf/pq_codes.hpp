// kith/index/ivf/pq_codes.hpp — lists of residuals in product codes, 4 bits a piece, added up in registers.
//
// A vector x in the list of centroid c is coded by its residual r = x − c, as words r̂. Its distance from a query q is
//
//   ‖q − x‖² ≈ ‖q − c‖² − 2⟨q − μ, r̂⟩ + s     s = 2⟨c − μ, r̂⟩ + ‖r̂‖² + ‖r − r̂‖²
//
// where μ is the mean of all. The products with r̂ come from tables that do not depend on the list, so they are made
// once a query. s belongs to the vector and is stored beside its code, in 15 bits. What the estimate leaves out is
// 2⟨q − x̂, r − r̂⟩, so it is best where it matters, near the query. Cosine is L2 of vectors of length one. For
// InnerProduct, −⟨q, x⟩ ≈ −⟨q, c⟩ − ⟨q, r̂⟩, and s is 0.
//
// Thread safety: codes are immutable once trained; an encoder belongs to one thread.
// Source: Jégou, Douze & Schmid, IEEE TPAMI 33(1), 2011, section IV (residuals); the split is ours.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/index/ivf/format.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/ivf/params.hpp"
#include "kith/quantize/centroids.hpp"
#include "kith/quantize/codebooks.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// The numbers beside each code of a block, before they are rounded.
struct IvfOffsets {
    static constexpr unsigned most = 32767;  // on disk; half of what a total may be

    float low = 0;
    float step = 0;  // 0: all offsets are 0

    [[nodiscard]] std::uint16_t round(float offset) const noexcept {
        if (!(step > 0)) return 0;
        const float steps = (offset - low) / step;
        if (!(steps > 0)) return 0;
        return static_cast<std::uint16_t>(std::min(steps + 0.5F, static_cast<float>(most)));
    }
};

class IvfPqCodes {
public:
    static constexpr bool coded = true;
    static constexpr float rescore = 20;
    static constexpr std::string_view content = "";  // on disk: what says that there are sub-vectors says it all

    class Encoder;
    template <class R>
    class Scan;

    /// Throws: Errc::invalid_argument.
    static void check(const IvfParams& params, std::size_t dim) {
        if (params.subvectors == 0 || dim % params.subvectors == 0) return;
        raise(Errc::invalid_argument, "Ivf: " + std::to_string(params.subvectors) +
                                          " sub-vectors do not divide the dimension " + std::to_string(dim));
    }

    /// Throws: Errc::cancelled; what progress throws.
    [[nodiscard]] static IvfPqCodes train(const IvfLesson& lesson);

    /// Pieces of a code when the parameters leave them open. Two dimensions a piece keep enough of the order among near
    /// vectors; of longer vectors four do, and half the bytes are read.
    [[nodiscard]] static std::size_t pieces_for(const IvfParams& params, std::size_t dim) noexcept {
        if (params.subvectors != 0) return params.subvectors;
        const std::size_t sub_dim = dim >= 512 ? 4 : 2;
        return std::min<std::size_t>((dim + sub_dim - 1) / sub_dim, IvfParams::most_subvectors);
    }
    [[nodiscard]] static bool possible(const IvfHeader& header) noexcept {
        return header.subvectors > 0 && header.offset_step >= 0 && std::isfinite(header.offset_low) &&
               std::isfinite(header.offset_step);
    }
    [[nodiscard]] static IvfParts parts(const IvfHeader& header) noexcept {
        const std::uint64_t sub_dim = (header.dim + header.subvectors - std::uint64_t{1}) / header.subvectors;
        return {header.dim, sub_dim * header.subvectors * FastScanLayout::words,
                record_bytes_for(FastScanLayout::pairs(header.subvectors))};
    }
    [[nodiscard]] static IvfPqCodes load(const IvfHeader& header, std::vector<float> mean, std::vector<float> words) {
        IvfPqCodes codes;
        codes.mean_ = std::move(mean);
        codes.codebooks_ = Codebooks(std::move(words), header.subvectors, FastScanLayout::words);
        codes.offsets_ = {header.offset_low, header.offset_step};
        return codes;
    }
    void describe(IvfHeader& header) const noexcept {
        header.subvectors = static_cast<std::uint32_t>(codebooks_.subvectors());
        header.offset_low = offsets_.low;
        header.offset_step = offsets_.step;
    }

    [[nodiscard]] const std::vector<float>& mean() const noexcept { return mean_; }
    [[nodiscard]] const std::vector<float>& words() const noexcept { return codebooks_.values(); }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return record_bytes_for(pairs()); }

    [[nodiscard]] const Codebooks& codebooks() const noexcept { return codebooks_; }
    [[nodiscard]] const IvfOffsets& offsets() const noexcept { return offsets_; }
    [[nodiscard]] const FastScanKernels& kernels() const noexcept { return kernels_; }
    [[nodiscard]] std::size_t pairs() const noexcept { return FastScanLayout::pairs(codebooks_.subvectors()); }

private:
    /// Bytes of a block of codes, up to whole cache lines.
    [[nodiscard]] static std::size_t record_bytes_for(std::size_t pairs) noexcept {
        return (FastScanLayout::block_bytes(pairs) + 63) / 64 * 64;
    }

    std::vector<float> mean_;  // μ
    Codebooks codebooks_;      // of residuals
    IvfOffsets offsets_;
    FastScanKernels kernels_ = fast_scan_kernels(best_isa());
};

static_assert(IvfCodes<IvfPqCodes>);

/// A vector on its way into a block. Memory for one at a time.
class IvfPqCodes::Encoder {
public:
    Encoder(const IvfPqCodes& codes, const Centroids& centroids, IvfForm form)
        : codes_(codes),
          centroids_(centroids),
          product_(form.product),
          vector_(std::max(codes.codebooks().dim(), centroids.dim())),
          residual_(vector_.size()),
          decoded_(vector_.size()),
          numbers_(2 * codes.pairs()) {}

    /// Where the caller puts the next vector: as many elements as centroids have.
    [[nodiscard]] float* vector() noexcept { return vector_.data(); }

    /// Codes the vector as one of `list`; returns s.
    float encode(std::size_t list) noexcept {
        const std::size_t dim = centroids_.dim();
        const float* const centroid = centroids_.row(list);
        for (std::size_t d = 0; d < dim; ++d) residual_[d] = vector_[d] - centroid[d];
        codes_.codebooks().encode(residual_.data(), numbers_.data());
        if (product_) return 0;
        codes_.codebooks().decode(numbers_.data(), decoded_.data());
        constexpr std::size_t lanes = 8;  // sums side by side, which the compiler may keep in registers
        float sums[lanes] = {};
        for (std::size_t d = 0; d < dim; ++d) {
            const float word = decoded_[d], left = residual_[d] - word;
            sums[d % lanes] += word * (2 * (centroid[d] - codes_.mean()[d]) + word) + left * left;
        }
        return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    }

    /// Codes the vector as one of `list` and writes it as vector `at` of a block.
    void put(std::size_t list, std::byte* record, std::size_t at) noexcept {
        const std::uint16_t steps = codes_.offsets().round(encode(list));
        const std::size_t pairs = codes_.pairs();
        for (std::size_t pair = 0; pair < pairs; ++pair) {
            record[pair * FastScanLayout::vectors + at] =
                static_cast<std::byte>(numbers_[2 * pair] | numbers_[2 * pair + 1] << 4);
        }
        std::byte* const to = record + FastScanLayout::code_bytes(pairs) + 2 * at;
        to[0] = static_cast<std::byte>(steps & 0xff);
        to[1] = static_cast<std::byte>(steps >> 8);
    }

private:
    const IvfPqCodes& codes_;
    const Centroids& centroids_;
    bool product_;
    std::vector<float> vector_;
    std::vector<float> residual_;  // zero past the dimension
    std::vector<float> decoded_;
    std::vector<std::uint8_t> numbers_;  // zero past the pieces
};

inline IvfPqCodes IvfPqCodes::train(const IvfLesson& lesson) {
    constexpr std::size_t most_coded = 8192;
    const MatrixView sample = lesson.sample;
    const std::size_t dim = sample.dim;
    const std::size_t stride = std::max<std::size_t>(1, sample.rows / most_coded);
    IvfPqCodes codes;
    codes.mean_ = mean_of_sample(sample);

    const std::size_t subvectors = pieces_for(lesson.params, dim);
    const std::size_t padded = (dim + subvectors - 1) / subvectors * subvectors;
    const std::size_t rows = (sample.rows + stride - 1) / stride;
    const MatrixView chosen{sample.data, rows, dim, dim * stride};
    std::vector<float> residuals(rows * padded);
    std::vector<std::uint32_t> nearest(rows);
    ScratchMemory scratch;
    lesson.centroids.nearest(chosen, nearest.data(), nullptr, scratch);
    for (std::size_t i = 0; i < rows; ++i) {
        const float* const centroid = lesson.centroids.row(nearest[i]);
        for (std::size_t d = 0; d < dim; ++d) residuals[i * padded + d] = chosen.row(i)[d] - centroid[d];
    }
    codes.codebooks_ =
        Codebooks::train({residuals.data(), rows, padded, padded}, subvectors, FastScanLayout::words, lesson.training);

    Encoder encoder(codes, lesson.centroids, lesson.form);
    float low = 0, high = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        std::copy_n(chosen.row(i), dim, encoder.vector());
        const float offset = encoder.encode(nearest[i]);
        low = i == 0 ? offset : std::min(low, offset);
        high = i == 0 ? offset : std::max(high, offset);
    }
    // Room for what the sample did not show.
    const float room = (high - low) / 8;
    const float step = (high - low + 2 * room) / static_cast<float>(IvfOffsets::most);
    if (std::isfinite(step) && std::isfinite(low - room)) codes.offsets_ = {low - room, step};
    return codes;
}

}  // namespace kith::inline v0::detail
