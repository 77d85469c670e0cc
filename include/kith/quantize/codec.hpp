// kith/quantize/codec.hpp — what a quantizer is: a tag a schema can name, and the codec it trains for a metric.
//
// A codec turns a vector into a code of a fixed number of bytes, and codes in a row into Rows that any index searches.
// What it learned (a mean, a rotation, codebooks) it writes into a few bytes, from which it is read again.
//
// Thread safety: a codec that is trained is only read.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/quantize/training.hpp"

#include <concepts>
#include <cstddef>
#include <string_view>

namespace kith::inline v0 {

/// What a codec of some dimension takes, before it is trained: each code, the parameters in a file, and in memory.
/// What depends on the vectors it is trained with is the most it can be.
struct CodecSpace {
    std::size_t code_bytes = 0;
    std::size_t saved_bytes = 0;
    std::size_t held_bytes = 0;  ///< besides the codec object itself
};

/// A Codec is trained for one metric and one dimension.
/// Shape:  code s of many begins at codes + s · code_bytes(), a multiple of 4, and nothing outside its code_bytes() is
///         looked at, so an encoded row is one run of bytes. `codes` is aligned to 4. The 64 bytes behind the last code
///         must be readable: kernels load whole registers and ignore what is beyond the code.
/// Laws:   encode is deterministic and finite for every finite vector (all zero, constant and huge ones too);
///         load(save) encodes and scores the same to the last bit, on every instruction set up to the rounding of sums.
///         decode(encode(v)) comes near v (Cosine: near v / ‖v‖). Under Cosine a vector of zeros is at about 1 from
///         everything, as it is by the metric itself.
/// Throws: train: Errc::invalid_argument for fewer than fewest_vectors(dim) rows or a dimension the codec cannot take,
///         in a sentence with both numbers; Errc::cancelled. load: Errc::corrupt, unsupported_version.
template <class C>
concept Codec = requires(const C& codec, MatrixView sample, const Training& training, const float* vector, float* out,
                         std::byte* code, const std::byte* codes, std::size_t dim, ScratchMemory& scratch,
                         ByteWriter& writer, ByteReader& reader) {
    { C::fewest_vectors(dim) } -> std::same_as<std::size_t>;
    { C::space(dim) } -> std::same_as<CodecSpace>;  // dim is one that it can take
    { C::train(sample, training) } -> std::same_as<C>;
    { C::load(reader, dim) } -> std::same_as<C>;
    { codec.save(writer) } -> std::same_as<void>;
    { codec.dim() } noexcept -> std::same_as<std::size_t>;
    { codec.code_bytes() } noexcept -> std::same_as<std::size_t>;
    { codec.encode(vector, code, scratch) } -> std::same_as<void>;  // allocates only while `scratch` grows
    { codec.decode(code, out) } -> std::same_as<void>;              // may allocate: no search does it
    { codec.rows(codes) } noexcept -> Rows;                         // a view of codes
};

/// Whether `Tag`, a quantizer or an index, can be for vectors of `dim` elements. Those for which some cannot be say so
/// themselves, in a static fits(dim).
template <class Tag>
[[nodiscard]] constexpr bool fits_dimension(std::size_t dim) noexcept {
    if constexpr (requires { Tag::fits(dim); }) return Tag::fits(dim);
    return true;
}

/// A Quantizer is a tag: `name` is stored on disk, `Codec<M>` is its codec for metric M. `rescore` is how many times
/// the wanted number of neighbours are compared again by their full vectors unless a search says otherwise.
template <class Q, class M>
concept Quantizer = requires {
    { Q::name } -> std::convertible_to<std::string_view>;
    { Q::rescore } -> std::convertible_to<float>;
} && Codec<typename Q::template Codec<M>>;

}  // namespace kith::inline v0
