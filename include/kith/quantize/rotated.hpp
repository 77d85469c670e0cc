// kith/quantize/rotated.hpp — any quantizer behind a rotation.
//
// A rotation spreads what a few elements say over all of them, so that steps or codebooks fit each part of a vector
// alike. It changes no distance, so the codec inside need not know.
//
// Thread safety: a trained codec is only read; a scorer belongs to one thread.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/quantize/centring.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/rotation.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// The elements of a vector that was turned, and what the rotation takes in a file and in memory, at most.
struct RotationSpace {
    std::size_t padded_dim = 0;
    std::size_t saved_bytes = 0;
    std::size_t held_bytes = 0;
};

/// What turns vectors before a codec sees them: it keeps their lengths and products, and is saved beside the codec.
/// Shape:  apply writes padded_dim() elements and invert reads, and may overwrite, as many.
/// Units:  `share` is how much of the time of training its own takes.
/// Throws: train: as Codec says. load: Errc::corrupt.
template <class R>
concept CodecRotation = requires(const R& rotation, const float* in, float* out, MatrixView sample,
                                 const Training& training, ByteWriter& writer, ByteReader& reader, std::size_t dim) {
    { R::share } -> std::convertible_to<double>;
    { R::train(sample, training) } -> std::same_as<R>;
    { R::load(reader, dim) } -> std::same_as<R>;
    { R::space(dim) } -> std::same_as<RotationSpace>;
    { rotation.save(writer) } -> std::same_as<void>;
    { rotation.dim() } noexcept -> std::same_as<std::size_t>;
    { rotation.padded_dim() } noexcept -> std::same_as<std::size_t>;
    { rotation.apply(in, out) } noexcept -> std::same_as<void>;
    { rotation.invert(out, out) } noexcept -> std::same_as<void>;
};

/// The random rotation of a seed, which is all that is saved of it: seed:u64.
class SeededRotation : public Rotation {
public:
    static constexpr double share = 0;

    [[nodiscard]] static SeededRotation train(MatrixView sample, const Training& training) {
        return SeededRotation(sample.dim, training.seed);
    }
    [[nodiscard]] static SeededRotation load(ByteReader& reader, std::size_t dim) {
        std::uint64_t seed = 0;
        if (!reader.u64(seed)) raise(Errc::corrupt, "rotated codec: the seed ends early");
        return SeededRotation(dim, seed);
    }
    void save(ByteWriter& writer) const { writer.u64(seed_); }
    [[nodiscard]] static RotationSpace space(std::size_t dim) noexcept {
        return {padded_dim(dim), sizeof(std::uint64_t), held_bytes(dim)};
    }

private:
    SeededRotation(std::size_t dim, std::uint64_t seed) : Rotation(dim, seed), seed_(seed) {}

    std::uint64_t seed_;  // of the rotation
};

/// Codec C over vectors that R has turned.
template <class C, CodecRotation R>
class RotatedCodec {
public:
    /// Codes of this codec in a row.
    class Rows {
    public:
        Rows(const RotatedCodec& codec, const std::byte* codes) noexcept
            : codec_(&codec), inner_(codec.inner_.rows(codes)) {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] auto scorer(const float* query, ScratchMemory& scratch) const {
            return inner_.scorer(codec_->rotated(query, scratch), scratch.nested());
        }
        [[nodiscard]] auto scorer_of(Slot slot, ScratchMemory& scratch) const {
            return inner_.scorer_of(slot, scratch);
        }

    private:
        const RotatedCodec* codec_;
        decltype(std::declval<const C&>().rows(nullptr)) inner_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t dim) noexcept { return C::fewest_vectors(dim); }

    /// Throws: as R::train and C::train do. Cost: besides those, a rotated copy of the sample.
    [[nodiscard]] static RotatedCodec train(MatrixView sample, const Training& training) {
        if (sample.dim == 0) raise(Errc::invalid_argument, "training: vectors have 0 elements, expected at least 1");
        R rotation = R::train(sample, training.part(0, R::share));
        const std::size_t width = rotation.padded_dim();
        const std::vector<float> copy = rotated_copy(rotation, sample, training);
        return RotatedCodec(std::move(rotation),
                            C::train({copy.data(), sample.rows, width, width}, training.part(R::share, 1)));
    }

    /// What R saved, then what C saved. Throws: what R::load and C::load throw.
    [[nodiscard]] static RotatedCodec load(ByteReader& reader, std::size_t dim) {
        R rotation = R::load(reader, dim);
        C inner = C::load(reader, rotation.padded_dim());
        return RotatedCodec(std::move(rotation), std::move(inner));
    }

    void save(ByteWriter& writer) const {
        rotation_.save(writer);
        inner_.save(writer);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return rotation_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return inner_.code_bytes(); }
    [[nodiscard]] static CodecSpace space(std::size_t dim) {
        const RotationSpace rotation = R::space(dim);
        CodecSpace both = C::space(rotation.padded_dim);
        both.saved_bytes += rotation.saved_bytes;
        both.held_bytes += rotation.held_bytes;
        return both;
    }
    [[nodiscard]] const R& rotation() const noexcept { return rotation_; }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        inner_.encode(rotated(vector, scratch), code, scratch.nested());
    }

    void decode(const std::byte* code, float* out) const noexcept {
        std::vector<float> turned(rotation_.padded_dim());
        inner_.decode(code, turned.data());
        rotation_.invert(turned.data(), out);
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    RotatedCodec(R rotation, C inner) : rotation_(std::move(rotation)), inner_(std::move(inner)) {}

    [[nodiscard]] static std::vector<float> rotated_copy(const R& rotation, MatrixView sample,
                                                         const Training& training) {
        constexpr std::size_t band = 256;
        const std::size_t width = rotation.padded_dim();
        std::vector<float> copy(sample.rows * width);
        share_work(training.threads, (sample.rows + band - 1) / band, [&](std::size_t piece, unsigned thread) {
            if (thread == 0) training.report(R::share);
            std::vector<float> shortened(sample.dim);
            for (std::size_t row = piece * band; row < std::min(sample.rows, (piece + 1) * band); ++row) {
                rotation.apply(within_reach(sample.row(row), sample.dim, shortened.data()), &copy[row * width]);
            }
        });
        return copy;
    }

    [[nodiscard]] const float* rotated(const float* vector, ScratchMemory& scratch) const {
        auto* const turned = scratch.take_array<float>(rotation_.padded_dim() + dim());
        auto* const shortened = turned + rotation_.padded_dim();
        rotation_.apply(within_reach(vector, dim(), shortened), turned);
        return turned;
    }

    R rotation_;
    C inner_;
};

/// The two names one behind the other; `size` is that of both.
template <std::size_t size>
consteval std::array<char, size> joined(std::string_view first, std::string_view second) {
    std::array<char, size> both{};
    for (std::size_t i = 0; i < size; ++i) both[i] = i < first.size() ? first[i] : second[i - first.size()];
    return both;
}

template <class Q>
struct RotatedName {
    static constexpr std::string_view prefix = "rotated_";  // on disk: never change
    static constexpr auto text = joined<prefix.size() + std::string_view(Q::name).size()>(prefix, Q::name);
};

}  // namespace detail

/// Quantizer Q over vectors that are rotated at random first: better codes where a few dimensions outweigh the others,
/// for some microseconds a query.
template <class Q>
struct Rotated {
    static constexpr std::string_view name{detail::RotatedName<Q>::text.data(), detail::RotatedName<Q>::text.size()};
    static constexpr float rescore = Q::rescore;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept {
        return fits_dimension<Q>(Rotation::padded_dim(dim));
    }

    template <class M>
    using Codec = detail::RotatedCodec<typename Q::template Codec<M>, detail::SeededRotation>;
};

}  // namespace kith::inline v0
