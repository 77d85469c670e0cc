// kith/quantize/opq.hpp — product quantization after the rotation that suits it best.
//
// Pieces of a vector that vary together, or by unlike amounts, waste words. A rotation changes no distance, so one is
// learned that brings vectors nearest to their words. A graph or a scan then reads the codes of Pq; a query costs a
// product with a matrix more, and so does each vector that is encoded.
//
//   codec = rotation (quantize/opq/learned_rotation.hpp), then that of Pq (quantize/pq.hpp)
//
// Thread safety: a codec that is trained is only read.
// Source: Ge, He, Ke & Sun, "Optimized product quantization", IEEE TPAMI 36(4), 2014.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/opq/learn.hpp"
#include "kith/quantize/opq/learned_rotation.hpp"
#include "kith/quantize/pq.hpp"
#include "kith/quantize/rotated.hpp"
#include "kith/quantize/training.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace kith::inline v0 {

namespace detail {

/// The rotation learned for the codes of Pq<P> under metric M.
template <class M, PqParams P>
class OpqRotation : public LearnedRotation {
public:
    static constexpr double share = 0.8;

    /// Throws: Errc::invalid_argument as PqCodec::subvectors_for; Errc::cancelled and what training.progress throws.
    [[nodiscard]] static OpqRotation train(MatrixView sample, const Training& training) {
        const std::size_t pieces = PqCodec<M, P>::subvectors_for(sample);
        return OpqRotation(learn_rotation<M>(sample, pieces, std::size_t{1} << P.bits, training));
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static OpqRotation load(ByteReader& reader, std::size_t dim) {
        LearnedRotation loaded = LearnedRotation::load(reader, dim);
        if (P.subvectors != 0 && loaded.pieces() != P.subvectors) {
            raise(Errc::corrupt, "opq codec: a rotation for " + std::to_string(loaded.pieces()) + " sub-vectors, not " +
                                     std::to_string(P.subvectors));
        }
        return OpqRotation(std::move(loaded));
    }

    /// That of one block where vectors are no longer than that may be wide, else of blocks as wide as may be.
    [[nodiscard]] static RotationSpace space(std::size_t dim) noexcept {
        constexpr std::size_t header_bytes = 8;
        const std::size_t blocks = (dim + widest - 1) / widest;
        const std::size_t width = (dim + blocks - 1) / blocks;
        const std::size_t bytes = blocks * width * width * sizeof(float);
        return {dim, header_bytes + bytes, bytes};
    }

private:
    explicit OpqRotation(LearnedRotation learned) noexcept : LearnedRotation(std::move(learned)) {}
};

}  // namespace detail

/// Pq<P> behind a rotation that is learned with it.
template <PqParams P = PqParams{}>
struct Opq {
    static constexpr std::string_view name = P.bits == 4 ? "opq4" : "opq8";  // stored on disk: never rename
    static constexpr float rescore = Pq<P>::rescore;
    static constexpr PqParams params = P;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept { return Pq<P>::fits(dim); }

    template <class M>
    using Codec = detail::RotatedCodec<detail::PqCodec<M, P>, detail::OpqRotation<M, P>>;
};

static_assert(Quantizer<Opq<>, L2>);
static_assert(Quantizer<Opq<PqParams{.subvectors = 4, .bits = 4}>, Cosine>);

}  // namespace kith::inline v0
