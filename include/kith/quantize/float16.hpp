// kith/quantize/float16.hpp — two bytes an element: half precision, or the upper half of a float.
//
// Nothing is learned, the query keeps its floats, and what rounding loses is seldom worth comparing anything again.
//
// Thread safety: a codec is only read; a scorer belongs to one thread.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/prefetch.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/quantize/centring.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace kith::inline v0 {

namespace detail {

/// A query of floats against rows of T; `offset` is added to each distance.
template <Element T>
class Float16Scorer {
public:
    Float16Scorer(const Kernels<T>& kernels, const float* query, const T* rows, std::size_t stride, std::size_t dim,
                  float offset) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim), offset_(offset) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] += offset_;
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, rows_ + first * stride_, stride_, dim_, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] += offset_;
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        prefetch_row(rows_ + slot * stride_, dim_ * sizeof(T));
    }

private:
    Kernels<T> kernels_;
    const float* query_;  // in the scratch of the search
    const T* rows_;
    std::size_t stride_;  // in elements
    std::size_t dim_;
    float offset_;
};

// code = element:16 bits × dim, zeros up to code_bytes(); Cosine: of the vector divided by its length.
template <class M, Element T>
class Float16Codec : ServedMetric<M> {
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    using ProductMetric = std::conditional_t<is_cosine, InnerProduct, M>;

public:
    /// Codes of this codec in a row.
    class Rows {
    public:
        Rows(const Float16Codec& codec, const std::byte* codes) noexcept
            : codec_(&codec), rows_(reinterpret_cast<const T*>(codes)) {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] Float16Scorer<T> scorer(const float* query, ScratchMemory& scratch) const {
            auto* const prepared = scratch.take_array<float>(dim());
            codec_->prepare(query, prepared);
            return scorer_for(prepared);
        }

        [[nodiscard]] Float16Scorer<T> scorer_of(Slot slot, ScratchMemory& scratch) const {
            auto* const prepared = scratch.take_array<float>(dim());
            decode_elements(rows_ + slot * stride(), dim(), prepared);
            return scorer_for(prepared);
        }

    private:
        [[nodiscard]] std::size_t stride() const noexcept { return codec_->code_bytes() / sizeof(T); }

        [[nodiscard]] Float16Scorer<T> scorer_for(const float* prepared) const noexcept {
            return {codec_->kernels_, prepared, rows_, stride(), dim(), is_cosine ? 1.0F : 0.0F};
        }

        const Float16Codec* codec_;
        const T* rows_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 1; }

    /// Throws: Errc::invalid_argument, Errc::cancelled.
    [[nodiscard]] static Float16Codec train(MatrixView sample, const Training& training) {
        if (sample.rows == 0) raise(Errc::invalid_argument, "training: there are 0 vectors, expected at least 1");
        check_quantized_dim(sample.dim);
        training.report(1);
        return Float16Codec(sample.dim);
    }

    /// version:u8 = 1. Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static Float16Codec load(ByteReader& reader, std::size_t dim) {
        std::uint8_t found = 0;
        if (!reader.u8(found)) raise(Errc::corrupt, "16-bit floats: no parameters");
        if (found != version) {
            raise(Errc::unsupported_version, "16-bit floats: parameters of version " + std::to_string(found));
        }
        check_quantized_dim(dim);
        return Float16Codec(dim);
    }

    void save(ByteWriter& writer) const { writer.u8(version); }

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }

    /// Long rows begin on a cache line. Short ones do not where that would cost more memory than it saves time.
    [[nodiscard]] std::size_t code_bytes() const noexcept { return space(dim_).code_bytes; }
    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        constexpr std::size_t long_row = 256;
        const std::size_t bytes = dim * sizeof(T);
        const std::size_t unit = bytes >= long_row ? 64 : 4;
        return {(bytes + unit - 1) / unit * unit, 1, 0};
    }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const prepared = scratch.take_array<float>(dim_);
        prepare(vector, prepared);
        std::memset(code, 0, code_bytes());
        encode_elements(prepared, dim_, reinterpret_cast<T*>(code));
    }

    void decode(const std::byte* code, float* out) const noexcept {
        decode_elements(reinterpret_cast<const T*>(code), dim_, out);
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    static constexpr std::uint8_t version = 1;  // on disk

    explicit Float16Codec(std::size_t dim) : dim_(dim), kernels_(kernels<ProductMetric, T>(best_isa())) {}

    /// The vector as the metric compares it.
    void prepare(const float* vector, float* out) const noexcept {
        const double factor = compared_factor<M>(vector, dim_);
        for (std::size_t i = 0; i < dim_; ++i) out[i] = static_cast<float>(factor * static_cast<double>(vector[i]));
    }

    std::size_t dim_;
    Kernels<T> kernels_;
};

}  // namespace detail

/// Half precision: 11 bits of each element count. Elements beyond ±65504 are taken as that.
struct Fp16 {
    static constexpr std::string_view name = "fp16";  // stored on disk: never rename
    static constexpr float rescore = 1;

    template <class M>
    using Codec = detail::Float16Codec<M, Half>;
};

/// The upper half of a float: 8 bits of each element count, and no element is out of range. A vector longer than
/// longest_vector is shortened to that.
struct Bf16 {
    static constexpr std::string_view name = "bf16";  // stored on disk: never rename
    static constexpr float rescore = 2;

    template <class M>
    using Codec = detail::Float16Codec<M, Bfloat16>;
};

static_assert(Quantizer<Fp16, L2>);
static_assert(Quantizer<Bf16, Cosine>);

}  // namespace kith::inline v0
