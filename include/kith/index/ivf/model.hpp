// kith/index/ivf/model.hpp — what an inverted file has learned: where its lists lie, and the words of its codes.
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
// Thread safety: immutable once trained.
// Source: Jégou, Douze & Schmid, IEEE TPAMI 33(1), 2011, section IV (residuals); the split is ours.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/index/ivf/params.hpp"
#include "kith/index/raw_rows.hpp"
#include "kith/quantize/centroids.hpp"
#include "kith/quantize/codebooks.hpp"
#include "kith/quantize/kmeans.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kith::inline v0::detail {

template <class R>
struct MetricOf;
template <class T, class M>
struct MetricOf<RawRows<T, M>> {
    using type = M;
};

template <class R>
inline constexpr bool is_cosine_rows = std::same_as<typename MetricOf<R>::type, Cosine>;
template <class R>
inline constexpr bool is_product_rows = std::same_as<typename MetricOf<R>::type, InnerProduct>;

/// Writes the vector of a row as lists see it: of length one under Cosine, as it is otherwise.
template <class R>
void prepare_row(const R& rows, Slot slot, float* out) noexcept {
    rows.decode(slot, out);
    if constexpr (is_cosine_rows<R>) {
        const float scale = rows.inverse_norm(slot);
        for (std::size_t d = 0; d < rows.dim(); ++d) out[d] *= scale;
    }
}

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

struct IvfModel {
    Centroids centroids;
    std::vector<float> mean;  // μ; empty where lists hold no codes
    Codebooks codebooks;      // of residuals; no words where lists hold no codes
    IvfOffsets offsets;
    FastScanKernels scan = fast_scan_kernels(best_isa());
    double trained_error = 0;  // mean squared distance of the sample from its centroids

    [[nodiscard]] std::size_t dim() const noexcept { return centroids.dim(); }
    [[nodiscard]] std::size_t lists() const noexcept { return centroids.size(); }
    [[nodiscard]] bool coded() const noexcept { return codebooks.subvectors() > 0; }
    [[nodiscard]] std::size_t pairs() const noexcept { return FastScanLayout::pairs(codebooks.subvectors()); }

    /// Bytes of a block of codes, up to whole cache lines.
    [[nodiscard]] std::size_t record_bytes() const noexcept {
        return coded() ? (FastScanLayout::block_bytes(pairs()) + 63) / 64 * 64 : 0;
    }
};

/// A vector on its way into a block. Memory for one at a time.
class IvfEncoder {
public:
    IvfEncoder(const IvfModel& model, bool product)
        : model_(model),
          product_(product),
          vector_(std::max(model.codebooks.dim(), model.dim())),
          residual_(vector_.size()),
          decoded_(vector_.size()),
          numbers_(2 * model.pairs()) {}

    /// Where the caller puts the next vector: dim() elements.
    [[nodiscard]] float* vector() noexcept { return vector_.data(); }

    /// Codes the vector as one of `list`; returns s.
    float encode(std::size_t list) noexcept {
        const std::size_t dim = model_.dim();
        const float* const centroid = model_.centroids.row(list);
        for (std::size_t d = 0; d < dim; ++d) residual_[d] = vector_[d] - centroid[d];
        model_.codebooks.encode(residual_.data(), numbers_.data());
        if (product_) return 0;
        model_.codebooks.decode(numbers_.data(), decoded_.data());
        constexpr std::size_t lanes = 8;  // sums side by side, which the compiler may keep in registers
        float sums[lanes] = {};
        for (std::size_t d = 0; d < dim; ++d) {
            const float word = decoded_[d], left = residual_[d] - word;
            sums[d % lanes] += word * (2 * (centroid[d] - model_.mean[d]) + word) + left * left;
        }
        return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    }

    /// Writes what encode() found as vector `at` of a block.
    void write(std::byte* record, std::size_t at, float offset) const noexcept {
        const std::size_t pairs = model_.pairs();
        for (std::size_t pair = 0; pair < pairs; ++pair) {
            record[pair * FastScanLayout::vectors + at] =
                static_cast<std::byte>(numbers_[2 * pair] | numbers_[2 * pair + 1] << 4);
        }
        const std::uint16_t steps = model_.offsets.round(offset);
        std::byte* const to = record + FastScanLayout::code_bytes(pairs) + 2 * at;
        to[0] = static_cast<std::byte>(steps & 0xff);
        to[1] = static_cast<std::byte>(steps >> 8);
    }

private:
    const IvfModel& model_;
    bool product_;
    std::vector<float> vector_;
    std::vector<float> residual_;  // zero past the dimension
    std::vector<float> decoded_;
    std::vector<std::uint8_t> numbers_;  // zero past the pieces
};

/// Pieces of a code when the parameters leave them open. Two dimensions a piece keep enough of the order among near
/// vectors; of longer vectors four do, and half the bytes are read.
inline std::size_t ivf_subvectors(const IvfParams& params, std::size_t dim) noexcept {
    if (params.subvectors != 0) return params.subvectors;
    const std::size_t sub_dim = dim >= 512 ? 4 : 2;
    return std::min<std::size_t>((dim + sub_dim - 1) / sub_dim, IvfParams::most_subvectors);
}

/// Learns from the first `count` rows.
/// Throws: Errc::invalid_argument for parameters that do not fit; Errc::cancelled; what progress throws;
///         std::bad_alloc.
template <class R>
IvfModel train_ivf(const R& rows, Slot count, const IvfParams& params, bool coded, const Training& training) {
    const std::size_t dim = rows.dim();
    const std::size_t lists = params.lists_for(count);
    if (lists > IvfParams::most_lists || params.subvectors > IvfParams::most_subvectors) {
        raise(Errc::invalid_argument, "Ivf takes up to " + std::to_string(IvfParams::most_lists) + " lists and " +
                                          std::to_string(IvfParams::most_subvectors) + " sub-vectors");
    }
    if (coded && params.subvectors != 0 && dim % params.subvectors != 0) {
        raise(Errc::invalid_argument, "Ivf: " + std::to_string(params.subvectors) +
                                          " sub-vectors do not divide the dimension " + std::to_string(dim));
    }
    if (count < lists) {
        raise(Errc::invalid_argument,
              "Ivf cannot make " + std::to_string(lists) + " lists of " + std::to_string(count) + " vectors");
    }
    constexpr std::size_t rows_a_list = 64;
    const std::vector<std::size_t> chosen = sample_of(count, lists * rows_a_list, mix64(training.seed));
    std::vector<float> sample(chosen.size() * dim);
    for (std::size_t i = 0; i < chosen.size(); ++i) prepare_row(rows, static_cast<Slot>(chosen[i]), &sample[i * dim]);

    Training part = training;
    if (training.progress) part.progress = [&](double done) { return training.progress(done * 0.8); };
    const KMeans made = train_kmeans({sample.data(), chosen.size(), dim, dim},
                                     {.centroids = lists, .iterations = 10, .rows_a_centroid = rows_a_list}, part);
    IvfModel model;
    model.centroids = Centroids(made.values, dim);
    model.trained_error = made.error;
    if (!coded) return model;

    constexpr std::size_t most_coded = 8192;
    const std::size_t stride = std::max<std::size_t>(1, chosen.size() / most_coded);
    std::vector<double> sums(dim);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        for (std::size_t d = 0; d < dim; ++d) sums[d] += static_cast<double>(sample[i * dim + d]);
    }
    for (const double sum : sums) model.mean.push_back(static_cast<float>(sum / static_cast<double>(chosen.size())));

    const std::size_t subvectors = ivf_subvectors(params, dim);
    const std::size_t padded = (dim + subvectors - 1) / subvectors * subvectors;
    const std::size_t coded_rows = (chosen.size() + stride - 1) / stride;
    std::vector<float> residuals(coded_rows * padded);
    std::vector<std::uint32_t> nearest(coded_rows);
    ScratchMemory scratch;
    model.centroids.nearest({sample.data(), coded_rows, dim, dim * stride}, nearest.data(), nullptr, scratch);
    for (std::size_t i = 0; i < coded_rows; ++i) {
        const float* const centroid = model.centroids.row(nearest[i]);
        for (std::size_t d = 0; d < dim; ++d) residuals[i * padded + d] = sample[i * stride * dim + d] - centroid[d];
    }
    if (training.progress) part.progress = [&](double done) { return training.progress(0.8 + done * 0.2); };
    model.codebooks =
        Codebooks::train({residuals.data(), coded_rows, padded, padded}, subvectors, FastScanLayout::words, part);

    IvfEncoder encoder(model, is_product_rows<R>);
    float low = 0, high = 0;
    for (std::size_t i = 0; i < coded_rows; ++i) {
        std::copy_n(&sample[i * stride * dim], dim, encoder.vector());
        const float offset = encoder.encode(nearest[i]);
        low = i == 0 ? offset : std::min(low, offset);
        high = i == 0 ? offset : std::max(high, offset);
    }
    // Room for what the sample did not show.
    const float room = (high - low) / 8;
    const float step = (high - low + 2 * room) / static_cast<float>(IvfOffsets::most);
    if (std::isfinite(step) && std::isfinite(low - room)) model.offsets = {low - room, step};
    return model;
}

}  // namespace kith::inline v0::detail
