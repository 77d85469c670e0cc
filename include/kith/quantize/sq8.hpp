// kith/quantize/sq8.hpp — one byte an element, with a scale for each vector.
//
// The mean of the sample is taken off, which makes vectors shorter, and what is left is cut into 255 steps as long as
// its largest element asks for. Offsets are those of the decoded vectors, not of the true ones: L2 is then the distance
// between two decoded vectors, whose error shrinks with the distance itself, so near neighbours are told apart best.
//
// Thread safety: a trained codec is only read; its Rows are views.
// Source: Aguerrebere et al., "Similarity search in the blink of an eye with compressed indices" (LVQ),
// arXiv:2304.04759, section 3; here the range is symmetric, which lets one integer dot product do for every metric.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/byte_kernels.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/mean.hpp"
#include "kith/quantize/training.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// Scores byte rows against one prepared query.
class ByteScorer {
public:
    ByteScorer(const ByteKernels& kernels, const ByteQuery& query, const std::uint8_t* rows, std::size_t stride,
               std::size_t dim) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
    }
    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, rows_ + first * stride_, stride_, dim_, count, out);
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        fetch_byte_row<ThisBuild>(rows_ + slot * stride_, dim_);
    }

private:
    ByteKernels kernels_;
    ByteQuery query_;  // its codes lie in the scratch of the search
    const std::uint8_t* rows_;
    std::size_t stride_;  // in bytes
    std::size_t dim_;
};

template <class M>
class Sq8Codec {
public:
    class Rows;

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 1; }

    /// Learns the mean. Throws: Errc::invalid_argument, Errc::cancelled, std::bad_alloc.
    /// Cost: reads the sample once.
    [[nodiscard]] static Sq8Codec train(MatrixView sample, const Training& training) {
        check_dim(sample.dim);
        return Sq8Codec(mean_of(sample, std::same_as<M, Cosine>, training));
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static Sq8Codec load(ByteReader& reader, std::size_t dim) {
        check_dim(dim);
        std::vector<float> mean(dim);
        if (!reader.f32s(mean)) raise(Errc::corrupt, "sq8: the mean ends early");
        return Sq8Codec(std::move(mean));
    }
    void save(ByteWriter& writer) const { writer.f32s(mean_); }

    [[nodiscard]] std::size_t dim() const noexcept { return mean_.size(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return code_bytes_; }

    void encode(const float* vector, std::byte* code, ScratchMemory&) const noexcept {
        auto* const bytes = reinterpret_cast<std::uint8_t*>(code);
        const ByteTail tail = encode_bytes(vector, bytes);
        const std::size_t tail_at = byte_tail_at(dim());
        std::memset(bytes + dim(), 0, code_bytes_ - dim());
        std::memcpy(bytes + tail_at, &tail, sizeof(tail));
    }

    void decode(const std::byte* code, float* out) const noexcept {
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(code);
        ByteTail tail;
        std::memcpy(&tail, bytes + byte_tail_at(dim()), sizeof(tail));
        for (std::size_t i = 0; i < dim(); ++i) {
            out[i] = mean_[i] + tail.scale * static_cast<float>(std::int32_t{bytes[i]} - 128);
        }
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    static constexpr float product_factor = std::same_as<M, L2> ? -2.0F : -1.0F;

    explicit Sq8Codec(std::vector<float> mean)
        : mean_(std::move(mean)), code_bytes_(row_bytes(mean_.size())), kernels_(byte_kernels(best_isa())) {
        for (const float value : mean_) squares_of_mean_ += value * value;
    }

    static void check_dim(std::size_t dim) {
        if (dim == 0 || dim > longest_byte_row) {
            raise(Errc::invalid_argument, "sq8: vectors have " + std::to_string(dim) + " elements, expected 1 to " +
                                              std::to_string(longest_byte_row));
        }
    }

    /// Long rows begin on a cache line. Short ones do not where that would cost more memory than it saves time.
    static constexpr std::size_t row_bytes(std::size_t dim) noexcept {
        constexpr std::size_t long_row = 256;
        const std::size_t bytes = byte_tail_at(dim) + sizeof(ByteTail);
        const std::size_t unit = bytes >= long_row ? 64 : 16;
        return (bytes + unit - 1) / unit * unit;
    }

    /// Writes the bytes of a vector and returns what stands behind them.
    ByteTail encode_bytes(const float* vector, std::uint8_t* bytes) const noexcept {
        const float factor = std::same_as<M, Cosine> ? inverse_norm(vector, dim()) : 1.0F;
        const float scale = kernels_.encode(vector, factor, mean_.data(), dim(), bytes);
        return {scale, offset_of(bytes, scale)};
    }

    /// What a decoded vector adds to a distance by itself.
    [[nodiscard]] float offset_of(const std::uint8_t* bytes, float scale) const noexcept {
        if constexpr (std::same_as<M, L2> || std::same_as<M, Cosine>) {
            std::int64_t squares = 0;
            for (std::size_t i = 0; i < dim(); ++i) {
                const std::int32_t step = std::int32_t{bytes[i]} - 128;
                squares += step * step;
            }
            const float norm = scale * scale * static_cast<float>(squares);
            return std::same_as<M, L2> ? norm : norm / 2;  // between unit vectors, half of L2 is 1 − cos
        } else {
            float product = 0;  // of the decoded vector, without its mean, and the mean
            for (std::size_t i = 0; i < dim(); ++i) {
                product += static_cast<float>(std::int32_t{bytes[i]} - 128) * mean_[i];
            }
            return -(scale * product) - squares_of_mean_ / 2;
        }
    }

    std::vector<float> mean_;
    std::size_t code_bytes_;
    ByteKernels kernels_;
    float squares_of_mean_ = 0;
};

/// The Rows of byte codes.
template <class M>
class Sq8Codec<M>::Rows {
public:
    Rows(const Sq8Codec& codec, const std::byte* codes) noexcept
        : codec_(&codec), codes_(reinterpret_cast<const std::uint8_t*>(codes)) {}

    [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

    [[nodiscard]] ByteScorer scorer(const float* query, ScratchMemory& scratch) const {
        auto* const bytes = take(scratch);
        return prepare(bytes, codec_->encode_bytes(query, bytes));
    }

    [[nodiscard]] ByteScorer scorer_of(Slot slot, ScratchMemory& scratch) const {
        auto* const bytes = take(scratch);
        const std::uint8_t* const row = codes_ + slot * codec_->code_bytes();
        ByteTail tail;
        std::memcpy(bytes, row, dim());
        std::memcpy(&tail, row + byte_tail_at(dim()), sizeof(tail));
        return prepare(bytes, tail);
    }

private:
    [[nodiscard]] std::uint8_t* take(ScratchMemory& scratch) const {
        return scratch.take_array<std::uint8_t>((dim() + 63) / 64 * 64);
    }

    /// Turns the bytes of a row into those of a query, where they are.
    [[nodiscard]] ByteScorer prepare(std::uint8_t* bytes, ByteTail tail) const noexcept {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < dim(); ++i) {
            bytes[i] ^= 128U;
            sum += static_cast<std::int8_t>(bytes[i]);
        }
        std::memset(bytes + dim(), 0, (64 - dim() % 64) % 64);
        const ByteQuery query{reinterpret_cast<const std::int8_t*>(bytes), product_factor * tail.scale, tail.offset,
                              128 * sum};
        return {codec_->kernels_, query, codes_, codec_->code_bytes(), dim()};
    }

    const Sq8Codec* codec_;
    const std::uint8_t* codes_;
};

}  // namespace detail

/// One byte an element and eight a vector.
struct Sq8 {
    static constexpr std::string_view name = "sq8";  // stored on disk: never rename
    static constexpr float rescore = 2;

    template <class M>
    using Codec = detail::Sq8Codec<M>;
};

static_assert(Quantizer<Sq8, L2>);
static_assert(Quantizer<Sq8, Cosine>);

}  // namespace kith::inline v0
