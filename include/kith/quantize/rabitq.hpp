// kith/quantize/rabitq.hpp — 1 to 8 bits an element of a rotated vector, with an unbiased distance and its error bound.
//
// After a random rotation every direction is alike, so a grid of 2^bits steps an element fits all vectors, and the
// error of an inner product is that of a random direction: small, as often up as down, and of a known size. A search
// may leave out a vector whose lower bound lies beyond the worst it keeps.
//
// Thread safety: a trained codec is only read; a scorer belongs to one thread.
// Source: Gao & Long, "RaBitQ", arXiv:2405.12497, sections 3.1 to 3.3; Gao et al., "Practical and asymptotically
// optimal quantization of high-dimensional vectors", arXiv:2409.09913 (more bits). Here the query is always of 8 bits.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/packed_dispatch.hpp"
#include "kith/quantize/centring.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/packed_code.hpp"
#include "kith/quantize/packed_scorer.hpp"
#include "kith/quantize/rabitq/grid.hpp"
#include "kith/quantize/rotation.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

// code = bias:f32 scale:f32 error:f32 spread:f32 fields
//
// With u the rotated vector about the mean and v the point of the grid that its elements name, scale is ‖u‖² / ⟨u, v⟩,
// so that scale · ⟨q, v⟩ is ⟨q, u⟩ and an error that is 0 on average; error is its size for a query of length 1, and
// spread is ‖u‖, both divided by √(width − 1): what a random direction has of them.
struct RaBitQHead {
    static constexpr std::size_t bytes = 16;

    explicit RaBitQHead(const std::byte* head) noexcept
        : bias(load_f32(head)), scale(load_f32(head + 4)), error(load_f32(head + 8)), spread(load_f32(head + 12)) {}
    RaBitQHead(float bias_of, float scale_of, float error_of, float spread_of) noexcept
        : bias(bias_of), scale(scale_of), error(error_of), spread(spread_of) {}

    void write(std::byte* head) const noexcept {
        store_f32(head, bias);
        store_f32(head + 4, scale);
        store_f32(head + 8, error);
        store_f32(head + 12, spread);
    }

    float bias;
    float scale;
    float error;
    float spread;
};

/// The distance of a code from a query of bytes, or from another code.
struct RaBitQFormula {
    float bias;
    float factor;         // weight · what a byte of the query stands for
    std::int64_t unit;    // of the grid
    std::int64_t offset;  // what the sum of unit · bytes has too much
    float reach;          // weight · ‖query‖
    float blur;           // weight · what the query lost when it became bytes

    [[nodiscard]] float distance(const std::byte* code, std::int32_t dot) const noexcept {
        const float product = factor * load_f32(code + 4) * static_cast<float>(unit * dot - offset);
        return (bias + load_f32(code)) - product;
    }

    /// What the distance may err by, but for few: see RaBitQ::confidence.
    [[nodiscard]] float error(const std::byte* code, float confidence) const noexcept {
        const RaBitQHead head(code);
        return confidence * (reach * head.error + blur * head.spread);
    }
};

/// Scores codes, and says how much nearer than estimated a vector may be.
class RaBitQScorer : public PackedScorer<RaBitQFormula> {
public:
    using PackedScorer<RaBitQFormula>::PackedScorer;

    /// A bound that the true distance of `slot` keeps to, but for few slots, when `distance` is the estimate.
    [[nodiscard]] float lower_bound(Slot slot, float distance, float confidence) const noexcept {
        return distance - formula().error(rows().code(slot), confidence);
    }
};

template <class M, unsigned bits>
class RaBitQCodec {
    using Grid = RaBitQGrid<bits>;

public:
    /// Codes of this codec in a row.
    class CodeRows {
    public:
        CodeRows(const RaBitQCodec& codec, const std::byte* codes) noexcept
            : codec_(&codec), packed_{codec.dots_, codec.shape(), codes} {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] RaBitQScorer scorer(const float* query, ScratchMemory& scratch) const {
            return codec_->query_scorer(packed_, query, scratch);
        }
        [[nodiscard]] RaBitQScorer scorer_of(Slot slot, ScratchMemory& scratch) const {
            return codec_->pair_scorer(packed_, slot, scratch);
        }

    private:
        const RaBitQCodec* codec_;
        PackedRows packed_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 1; }

    /// Learns the mean; the rotation comes from the seed. Throws: Errc::invalid_argument, Errc::cancelled.
    static RaBitQCodec train(MatrixView sample, const Training& training) {
        return RaBitQCodec(Centring<M>::train(sample, training), training.seed);
    }

    /// version:u8 = 1, seed:u64, centring. Throws: Errc::corrupt, Errc::unsupported_version.
    static RaBitQCodec load(ByteReader& reader, std::size_t dim) {
        std::uint8_t found = 0;
        if (!reader.u8(found)) raise(Errc::corrupt, "rabitq: no parameters");
        if (found != version)
            raise(Errc::unsupported_version, "rabitq: parameters of version " + std::to_string(found));
        std::uint64_t seed = 0;
        if (!reader.u64(seed)) raise(Errc::corrupt, "rabitq: the seed ends early");
        return RaBitQCodec(Centring<M>::load(reader, dim), seed);
    }

    void save(ByteWriter& writer) const {
        writer.u8(version);
        writer.u64(seed_);
        centring_.save(writer);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return centring_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return packed_stride(RaBitQHead::bytes, bits, width()); }
    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        return {packed_stride(RaBitQHead::bytes, bits, Rotation::padded_dim(dim)),
                1 + sizeof(std::uint64_t) + dim * sizeof(float), dim * sizeof(float) + Rotation::held_bytes(dim)};
    }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const u = scratch.take_array<float>(2 * width() + dim());
        auto* const elements = reinterpret_cast<std::uint8_t*>(u + width());
        const float from_centre = enter(vector, u, u + 2 * width());
        const double u_squares = squares(u, width());
        const GridFit fit = Grid::fit(u, width(), elements);
        const double scale = fit.product > 0 ? u_squares / fit.product : 0;
        const double lost = scale * scale * fit.squares - u_squares;
        const double directions = random_directions();
        RaBitQHead(Centring<M>::bias(from_centre, u_squares), static_cast<float>(scale),
                   static_cast<float>(std::sqrt(std::max(0.0, lost) / directions)),
                   static_cast<float>(std::sqrt(u_squares / directions)))
            .write(code);
        pack(bits, elements, width(), code + RaBitQHead::bytes, code + code_bytes());
    }

    /// The vector nearest to the true one of those in the direction of the code.
    void decode(const std::byte* code, float* out) const {
        std::vector<std::uint8_t> elements(width());
        std::vector<float> u(width());
        unpack(bits, code + RaBitQHead::bytes, width(), elements.data());
        double grid_squares = 0;
        for (std::size_t i = 0; i < width(); ++i) {
            u[i] = static_cast<float>(Grid::value(elements[i]));
            grid_squares += static_cast<double>(u[i]) * static_cast<double>(u[i]);
        }
        const RaBitQHead head(code);
        const double u_squares =
            static_cast<double>(head.spread) * static_cast<double>(head.spread) * random_directions();
        const double product = head.scale > 0 ? u_squares / static_cast<double>(head.scale) : 0;
        const auto scale = static_cast<float>(grid_squares > 0 ? product / grid_squares : 0);
        for (float& element : u) element *= scale;
        rotation_.invert(u.data(), out);
        centring_.restore(out, out);
    }

    [[nodiscard]] CodeRows rows(const std::byte* codes) const noexcept { return CodeRows(*this, codes); }

private:
    static constexpr std::uint8_t version = 1;  // on disk
    static constexpr float weight = Centring<M>::weight;

    RaBitQCodec(Centring<M> centring, std::uint64_t seed)
        : centring_(std::move(centring)),
          seed_(seed),
          rotation_(centring_.dim(), seed),
          dots_(packed_dots(bits, best_isa())) {}

    /// Writes u of `vector`, rotated, and returns what Centring::bias() needs. Shape: `spare` has room for dim().
    float enter(const float* vector, float* u, float* spare) const noexcept {
        const float from_centre = centring_.centre(vector, spare);
        rotation_.apply(spare, u);
        return from_centre;
    }

    [[nodiscard]] std::size_t width() const noexcept { return rotation_.padded_dim(); }
    [[nodiscard]] PackedShape shape() const noexcept { return {width(), RaBitQHead::bytes, code_bytes()}; }

    /// Directions at right angles to a vector.
    [[nodiscard]] double random_directions() const noexcept {
        return width() > 1 ? static_cast<double>(width() - 1) : 1.0;
    }

    [[nodiscard]] RaBitQScorer query_scorer(const PackedRows& rows, const float* query, ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, width(), dim(), scratch);
        const float* const u = prepared.u;
        const float from_centre = enter(query, prepared.u, prepared.spare);
        const ByteVector bytes = prepared.from_floats();
        double lost = 0;
        for (std::size_t i = 0; i < width(); ++i) {
            const double difference = static_cast<double>(u[i]) - static_cast<double>(bytes.step) * prepared.factors[i];
            lost += difference * difference;
        }
        const double u_squares = squares(u, width());
        return {rows, prepared.query,
                RaBitQFormula{.bias = Centring<M>::bias(from_centre, u_squares),
                              .factor = weight * bytes.step,
                              .unit = Grid::unit,
                              .offset = std::int64_t{Grid::zero} * bytes.sum,
                              .reach = weight * static_cast<float>(std::sqrt(u_squares)),
                              .blur = weight * static_cast<float>(std::sqrt(lost))}};
    }

    [[nodiscard]] RaBitQScorer pair_scorer(const PackedRows& rows, Slot slot, ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, width(), 0, scratch);
        const std::int64_t sum = prepared.from_code(rows.fields(slot), Grid::value);
        double grid_squares = 0;
        for (std::size_t i = 0; i < width(); ++i) {
            grid_squares += static_cast<double>(prepared.factors[i] * prepared.factors[i]);
        }
        const RaBitQHead head(rows.code(slot));
        const auto directions = static_cast<float>(std::sqrt(random_directions()));
        return {rows, prepared.query,
                RaBitQFormula{.bias = head.bias,
                              .factor = weight * head.scale,
                              .unit = Grid::unit,
                              .offset = Grid::zero * sum,
                              .reach = weight * head.scale * static_cast<float>(std::sqrt(grid_squares)),
                              .blur = weight * head.error * directions}};
    }

    Centring<M> centring_;
    std::uint64_t seed_;  // of rotation_
    Rotation rotation_;
    PackedDots dots_;
};

}  // namespace detail

/// `bits` bits an element of the rotated vector. One bit is for a first look at very many vectors; 4 or 5 keep most of
/// the recall of floats, 7 or 8 all but a fiftieth (docs/quantizers.md).
template <unsigned bits>
struct RaBitQ {
    static_assert(bits >= 1 && bits <= 8, "kith: RaBitQ: an element has 1 to 8 bits");

    static constexpr std::string_view name =
        std::string_view("rabitq1rabitq2rabitq3rabitq4rabitq5rabitq6rabitq7rabitq8")
            .substr(7 * (bits - 1), 7);  // stored on disk: never rename
    static constexpr float rescore = bits == 1 ? 10.0F : bits == 2 ? 6.0F : bits <= 4 ? 3.0F : 2.0F;

    /// ε₀ of the paper: with 1.9 a true distance is below its lower bound for at most 3.5 of 100 vectors, as measured
    /// from 64 to 1,000 dimensions.
    static constexpr float confidence = 1.9F;

    template <class M>
    using Codec = detail::RaBitQCodec<M, bits>;
};

static_assert(Quantizer<RaBitQ<1>, L2>);
static_assert(Quantizer<RaBitQ<8>, InnerProduct>);

}  // namespace kith::inline v0
