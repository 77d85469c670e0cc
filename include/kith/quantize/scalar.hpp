// kith/quantize/scalar.hpp — one byte an element, or half of one, with a scale for each vector.
//
// The mean of the sample is taken off, which makes vectors shorter, and what is left is cut into equal steps as long as
// its largest element asks for. Offsets are those of the decoded vectors, not of the true ones: L2 is then the distance
// between two decoded vectors, whose error shrinks with the distance itself, so near neighbours are told apart best.
// A query has a byte an element whatever the rows have.
//
// Thread safety: a trained codec is only read; its Rows are views.
// Source: Aguerrebere et al., "Similarity search in the blink of an eye with compressed indices" (LVQ),
// arXiv:2304.04759, section 3; here the range is symmetric, which lets one integer dot product do for every metric.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/prefetch.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/code_kernels.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/quantize/centring.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/training.hpp"

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// Scores coded rows against one prepared query.
template <unsigned bits>
class CodeScorer {
public:
    CodeScorer(const CodeKernels& kernels, const CodeQuery& query, const std::uint8_t* rows, std::size_t stride,
               std::size_t dim) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
    }
    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, rows_ + first * stride_, stride_, dim_, count, out);
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        fetch_code<bits, ThisBuild>(rows_ + slot * stride_, dim_);
    }
    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        detail::prefetch_scan(rows_ + first * stride_, count * stride_);
    }

private:
    CodeKernels kernels_;
    CodeQuery query_;  // its codes lie in the scratch of the search
    const std::uint8_t* rows_;
    std::size_t stride_;  // in bytes
    std::size_t dim_;
};

template <class M, unsigned bits>
class ScalarCodec : ServedMetric<M> {
    using Shape = CodeShape<bits>;

public:
    class Rows;

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 1; }

    /// Learns the mean. Throws: Errc::invalid_argument, Errc::cancelled.
    /// Cost: reads the sample once.
    [[nodiscard]] static ScalarCodec train(MatrixView sample, const Training& training) {
        check_dim(sample.dim);
        return ScalarCodec(mean_within_reach(sample, std::same_as<M, Cosine>, training));
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static ScalarCodec load(ByteReader& reader, std::size_t dim) {
        check_dim(dim);
        std::vector<float> mean(dim);
        if (!reader.f32s(mean)) raise(Errc::corrupt, "scalar codec: the mean ends early");
        check_mean(mean);
        return ScalarCodec(std::move(mean));
    }
    void save(ByteWriter& writer) const { writer.f32s(mean_); }

    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        return {padded(Shape::row_bytes(dim)), dim * sizeof(float), dim * sizeof(float)};
    }

    [[nodiscard]] std::size_t dim() const noexcept { return mean_.size(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return code_bytes_; }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const steps = scratch.take_array<std::int8_t>(dim());
        const CodeTail tail = quantize(vector, Shape::steps, steps);
        auto* const row = reinterpret_cast<std::uint8_t*>(code);
        std::memset(row, 0, code_bytes_);
        for (std::size_t i = 0; i < dim(); ++i) put(row, i, steps[i] + Shape::zero);
        std::memcpy(row + Shape::tail_at(dim()), &tail, sizeof(tail));
    }

    void decode(const std::byte* code, float* out) const noexcept {
        const auto* const row = reinterpret_cast<const std::uint8_t*>(code);
        const float scale = tail_of(row).scale;
        for (std::size_t i = 0; i < dim(); ++i) {
            out[i] = mean_[i] + scale * static_cast<float>(get(row, i) - Shape::zero);
        }
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    static constexpr float product_factor = std::same_as<M, L2> ? -2.0F : -1.0F;

    explicit ScalarCodec(std::vector<float> mean)
        : mean_(std::move(mean)),
          code_bytes_(padded(Shape::row_bytes(mean_.size()))),
          kernels_(code_kernels<bits>(best_isa())) {
        for (const float value : mean_) squares_of_mean_ += value * value;
    }

    static void check_dim(std::size_t dim) {
        if (dim > 0 && dim <= longest_coded_row) return;
        raise(Errc::invalid_argument, "scalar codec: vectors have " + std::to_string(dim) +
                                          " elements, expected 1 to " + std::to_string(longest_coded_row));
    }

    /// Long rows begin on a cache line. Short ones do not where that would cost more memory than it saves time.
    static constexpr std::size_t padded(std::size_t bytes) noexcept {
        constexpr std::size_t long_row = 256;
        const std::size_t unit = bytes >= long_row ? 64 : 16;
        return (bytes + unit - 1) / unit * unit;
    }

    /// Byte and shift of element i of a row.
    [[nodiscard]] std::pair<std::size_t, unsigned> place(std::size_t i) const noexcept {
        if constexpr (bits == 8) return {i, 0};
        const std::size_t at = Shape::query_at(i, dim());
        return {at / 128 * 64 + at % 64, at % 128 < 64 ? 0U : 4U};
    }
    void put(std::uint8_t* row, std::size_t i, std::int32_t code) const noexcept {
        const auto [at, shift] = place(i);
        row[at] = static_cast<std::uint8_t>(row[at] | (static_cast<unsigned>(code) << shift));
    }
    [[nodiscard]] std::int32_t get(const std::uint8_t* row, std::size_t i) const noexcept {
        const auto [at, shift] = place(i);
        return (row[at] >> shift) & (bits == 8 ? 255 : 15);
    }
    [[nodiscard]] CodeTail tail_of(const std::uint8_t* row) const noexcept {
        CodeTail tail;
        std::memcpy(&tail, row + Shape::tail_at(dim()), sizeof(tail));
        return tail;
    }

    /// Writes a vector in steps of its own scale, and returns what stands behind them.
    CodeTail quantize(const float* vector, std::int32_t largest, std::int8_t* steps) const noexcept {
        const float factor = std::same_as<M, Cosine> ? inverse_norm(vector, dim()) : 1.0F;
        const auto top = static_cast<float>(largest);
        float scale = kernels_.encode(vector, factor, mean_.data(), dim(), top, steps);
        // The sum of the squares of such elements could be infinite.
        if (!(scale * top * std::sqrt(static_cast<float>(dim())) <= static_cast<float>(longest_vector))) {
            const auto shorter = static_cast<float>(compared_factor<M>(vector, dim()));
            scale = kernels_.encode(vector, shorter, mean_.data(), dim(), top, steps);
        }
        // A vector of length zero is at 1 from everything; as half of L2 it would be at ½ from what has length 1.
        const float without_direction = std::same_as<M, Cosine> && factor == 0 ? 0.5F : 0.0F;
        return {scale, offset_of(steps, scale) + without_direction};
    }

    /// What a decoded vector adds to a distance by itself.
    [[nodiscard]] float offset_of(const std::int8_t* steps, float scale) const noexcept {
        if constexpr (std::same_as<M, L2> || std::same_as<M, Cosine>) {
            std::int32_t squares = 0;
            for (std::size_t i = 0; i < dim(); ++i) squares += std::int32_t{steps[i]} * std::int32_t{steps[i]};
            const float norm = scale * scale * static_cast<float>(squares);
            return std::same_as<M, L2> ? norm : norm / 2;  // between unit vectors, half of L2 is 1 − cos
        } else {
            float product = 0;  // of the decoded vector, without its mean, and the mean
            for (std::size_t i = 0; i < dim(); ++i) product += static_cast<float>(steps[i]) * mean_[i];
            return -(scale * product) - squares_of_mean_ / 2;
        }
    }

    std::vector<float> mean_;
    std::size_t code_bytes_;
    CodeKernels kernels_;
    float squares_of_mean_ = 0;
};

/// The Rows of codes.
template <class M, unsigned bits>
class ScalarCodec<M, bits>::Rows {
public:
    Rows(const ScalarCodec& codec, const std::byte* codes) noexcept
        : codec_(&codec), codes_(reinterpret_cast<const std::uint8_t*>(codes)) {}

    [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

    [[nodiscard]] CodeScorer<bits> scorer(const float* query, ScratchMemory& scratch) const {
        std::int8_t* const codes = take(scratch);
        std::int8_t* const steps = codes + query_bytes();
        const CodeTail tail = codec_->quantize(query, CodeShape<8>::steps, steps);
        return prepare(codes, steps, tail);
    }

    /// Compares decoded vectors with a decoded one, so it is the same both ways round.
    [[nodiscard]] CodeScorer<bits> scorer_of(Slot slot, ScratchMemory& scratch) const {
        std::int8_t* const codes = take(scratch);
        std::int8_t* const steps = codes + query_bytes();
        const std::uint8_t* const row = codes_ + slot * codec_->code_bytes();
        unpack(row, steps);
        return prepare(codes, steps, codec_->tail_of(row));
    }

private:
    [[nodiscard]] std::size_t query_bytes() const noexcept { return (dim() + 127) / 128 * 128; }

    /// Room for the codes of a query and, behind them, its steps in order.
    [[nodiscard]] std::int8_t* take(ScratchMemory& scratch) const {
        return scratch.take_array<std::int8_t>(query_bytes() + dim());
    }

    /// The steps of a row, in order; a run of bytes at a time, so that the compiler may use registers.
    void unpack(const std::uint8_t* row, std::int8_t* steps) const noexcept {
        if constexpr (bits == 8) {
            for (std::size_t i = 0; i < dim(); ++i) steps[i] = static_cast<std::int8_t>(row[i] - Shape::zero);
        } else {
            for (std::size_t first = 0; first < dim(); first += 128, row += 64) {
                const std::size_t left = dim() - first < 128 ? dim() - first : 128;
                const std::size_t half = (left + 1) / 2;
                std::int8_t* const low = steps + first;
                for (std::size_t i = 0; i < half; ++i) low[i] = static_cast<std::int8_t>((row[i] & 15) - Shape::zero);
                std::int8_t* const high = low + half;
                for (std::size_t i = 0; i < left - half; ++i) {
                    high[i] = static_cast<std::int8_t>((row[i] >> 4) - Shape::zero);
                }
            }
        }
    }

    [[nodiscard]] CodeScorer<bits> prepare(std::int8_t* codes, const std::int8_t* steps, CodeTail tail) const noexcept {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < dim(); ++i) sum += steps[i];
        const std::size_t whole = bits == 8 ? dim() : dim() / 128 * 128;
        std::memcpy(codes, steps, whole);
        std::memset(codes + whole, 0, query_bytes() - whole);
        for (std::size_t i = whole; i < dim(); ++i) codes[Shape::query_at(i, dim())] = steps[i];
        const CodeQuery query{codes, product_factor * tail.scale, tail.offset, Shape::zero * sum};
        return {codec_->kernels_, query, codes_, codec_->code_bytes(), dim()};
    }

    const ScalarCodec* codec_;
    const std::uint8_t* codes_;
};

}  // namespace detail

/// One byte an element and eight a vector.
struct Sq8 {
    static constexpr std::string_view name = "sq8";  // stored on disk: never rename
    static constexpr float rescore = 2;

    template <class M>
    using Codec = detail::ScalarCodec<M, 8>;
};

/// Half a byte an element and eight a vector.
struct Sq4 {
    static constexpr std::string_view name = "sq4";  // stored on disk: never rename
    static constexpr float rescore = 4;

    template <class M>
    using Codec = detail::ScalarCodec<M, 4>;
};

static_assert(Quantizer<Sq8, L2>);
static_assert(Quantizer<Sq4, Cosine>);

}  // namespace kith::inline v0
