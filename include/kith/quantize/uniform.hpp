// kith/quantize/uniform.hpp — 4 or 8 bits an element, in steps that are the same for all vectors.
//
// One step for all leaves a code four bytes besides its elements. It is learned: of the ranges that hold a certain
// share of the sample's elements, about their mean, the one whose steps err least is taken, and what lies outside is
// clipped. It suits vectors whose elements are alike, such as rotated ones; others are better off with Sq8 or Sq4.
//
// Thread safety: a trained codec is only read; a scorer belongs to one thread.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"
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
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// Steps of one size about zero, from −2^(bits − 1) to 2^(bits − 1) − 1 of them.
template <unsigned bits>
struct UniformSteps {
    static constexpr int zero = 1 << (bits - 1);

    [[nodiscard]] static int nearest(float value, float inverse) noexcept {
        const float steps = std::clamp(value * inverse, static_cast<float>(-zero), static_cast<float>(zero - 1));
        return static_cast<int>(steps + (steps < 0 ? -0.5F : 0.5F));
    }

    /// The step that errs least over `values`, absolute ones in rising order; 0 when all are zero.
    [[nodiscard]] static float learn(const std::vector<float>& values) noexcept {
        constexpr double shares[] = {0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0};
        float best = 0;
        double least = std::numeric_limits<double>::infinity();
        for (const double share : shares) {
            const double place = std::ceil(share * static_cast<double>(values.size())) - 1;
            const float step = values[static_cast<std::size_t>(std::max(place, 0.0))] / static_cast<float>(zero - 1);
            if (!(step > smallest_step)) continue;
            double error = 0;
            for (const float value : values) {
                const double lost = static_cast<double>(value) - static_cast<double>(step) * nearest(value, 1 / step);
                error += lost * lost;
            }
            if (error < least) {
                least = error;
                best = step;
            }
        }
        return best;
    }

    static constexpr float smallest_step = 1e-30F;  // the inverse of a smaller one may leave the range of a float
};

/// The distance of a code from a query of bytes, or from another code. Head: bias:f32.
struct UniformFormula {
    float bias;
    float factor;  // weight · step · what a byte of the query stands for
    std::int32_t offset;

    [[nodiscard]] float distance(const std::byte* code, std::int32_t dot) const noexcept {
        const std::int64_t product = std::int64_t{dot} - offset;
        return (bias + load_f32(code)) - factor * static_cast<float>(product);
    }
};

// code = bias:f32 fields
//
// Element i of the centred vector is about step · (cᵢ − 2^(bits − 1)).
template <class M, unsigned bits>
class UniformCodec {
    using Steps = UniformSteps<bits>;

public:
    /// Codes of this codec in a row.
    class Rows {
    public:
        Rows(const UniformCodec& codec, const std::byte* codes) noexcept
            : codec_(&codec), packed_{codec.dots_, codec.shape(), codes} {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] PackedScorer<UniformFormula> scorer(const float* query, ScratchMemory& scratch) const {
            return codec_->query_scorer(packed_, query, scratch);
        }
        [[nodiscard]] PackedScorer<UniformFormula> scorer_of(Slot slot, ScratchMemory& scratch) const {
            return codec_->pair_scorer(packed_, slot, scratch);
        }

    private:
        const UniformCodec* codec_;
        PackedRows packed_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 16; }

    /// Learns the mean and the step. Throws: Errc::invalid_argument, Errc::cancelled.
    [[nodiscard]] static UniformCodec train(MatrixView sample, const Training& training) {
        if (sample.rows < fewest_vectors(sample.dim)) {
            raise(Errc::invalid_argument, "uniform codec: there are " + std::to_string(sample.rows) +
                                              " vectors to train with, expected at least " +
                                              std::to_string(fewest_vectors(sample.dim)));
        }
        Centring<M> centring = Centring<M>::train(sample, training);
        // Some rows, evenly spread, are enough to know how the elements lie.
        constexpr std::size_t most_elements = std::size_t{1} << 18;
        const std::size_t rows = std::min(sample.rows, std::max<std::size_t>(most_elements / sample.dim, 16));
        std::vector<float> elements(rows * sample.dim);
        for (std::size_t row = 0; row < rows; ++row) {
            centring.centre(sample.row(row * sample.rows / rows), &elements[row * sample.dim]);
        }
        for (float& element : elements) element = std::abs(element);
        std::sort(elements.begin(), elements.end());
        return UniformCodec(std::move(centring), Steps::learn(elements));
    }

    /// version:u8 = 1, step:f32, centring. Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static UniformCodec load(ByteReader& reader, std::size_t dim) {
        std::uint8_t found = 0;
        float step = 0;
        if (!reader.u8(found)) raise(Errc::corrupt, "uniform codec: no parameters");
        if (found != version) {
            raise(Errc::unsupported_version, "uniform codec: parameters of version " + std::to_string(found));
        }
        const bool whole = reader.f32(step);
        if (!whole || !(step == 0 || (step > Steps::smallest_step && step <= static_cast<float>(longest_vector)))) {
            raise(Errc::corrupt, "uniform codec: the step is no step");
        }
        return UniformCodec(Centring<M>::load(reader, dim), step);
    }

    void save(ByteWriter& writer) const {
        writer.u8(version);
        writer.f32(step_);
        centring_.save(writer);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return centring_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return packed_stride(head_bytes, bits, dim()); }
    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        return {packed_stride(head_bytes, bits, dim), 1 + (1 + dim) * sizeof(float), dim * sizeof(float)};
    }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const u = scratch.take_array<float>(2 * dim());
        auto* const elements = reinterpret_cast<std::uint8_t*>(u + dim());
        const float from_centre = centring_.centre(vector, u);
        const float inverse = step_ > 0 ? 1 / step_ : 0;
        double decoded_squares = 0;
        for (std::size_t i = 0; i < dim(); ++i) {
            const int steps = Steps::nearest(u[i], inverse);
            elements[i] = static_cast<std::uint8_t>(steps + Steps::zero);
            decoded_squares += static_cast<double>(steps) * steps;
        }
        decoded_squares *= static_cast<double>(step_) * static_cast<double>(step_);
        store_f32(code, Centring<M>::bias(from_centre, decoded_squares));
        pack(bits, elements, dim(), code + head_bytes, code + code_bytes());
    }

    void decode(const std::byte* code, float* out) const {
        std::vector<std::uint8_t> elements(dim());
        unpack(bits, code + head_bytes, dim(), elements.data());
        for (std::size_t i = 0; i < dim(); ++i) out[i] = step_ * static_cast<float>(elements[i] - Steps::zero);
        centring_.restore(out, out);
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    static constexpr std::uint8_t version = 1;  // on disk
    static constexpr std::size_t head_bytes = 4;
    static constexpr float weight = Centring<M>::weight;

    UniformCodec(Centring<M> centring, float step)
        : centring_(std::move(centring)), step_(step), dots_(packed_dots(bits, best_isa())) {}

    [[nodiscard]] PackedShape shape() const noexcept { return {dim(), head_bytes, code_bytes()}; }

    [[nodiscard]] PackedScorer<UniformFormula> query_scorer(const PackedRows& rows, const float* query,
                                                            ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, dim(), 0, scratch);
        const float from_centre = centring_.centre(query, prepared.u);
        const ByteVector bytes = prepared.from_floats();
        return {rows, prepared.query,
                UniformFormula{.bias = Centring<M>::bias(from_centre, squares(prepared.u, dim())),
                               .factor = weight * step_ * bytes.step,
                               .offset = Steps::zero * bytes.sum}};
    }

    [[nodiscard]] PackedScorer<UniformFormula> pair_scorer(const PackedRows& rows, Slot slot,
                                                           ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, dim(), 0, scratch);
        const std::int32_t sum =
            prepared.from_code(rows.fields(slot), [](std::uint8_t element) { return element - Steps::zero; });
        return {
            rows, prepared.query,
            UniformFormula{
                .bias = load_f32(rows.code(slot)), .factor = weight * (step_ * step_), .offset = Steps::zero * sum}};
    }

    Centring<M> centring_;
    float step_;  // 0 when all vectors of the sample were the same
    PackedDots dots_;
};

}  // namespace detail

/// `bits` bits an element in steps that all vectors share: the fewest bytes besides the elements.
template <unsigned bits>
struct SqUniform {
    static_assert(bits == 4 || bits == 8, "kith: SqUniform: an element has 4 or 8 bits");

    static constexpr std::string_view name = bits == 4 ? "uniform4" : "uniform8";  // stored on disk: never rename
    static constexpr float rescore = bits == 4 ? 4 : 2;

    template <class M>
    using Codec = detail::UniformCodec<M, bits>;
};

static_assert(Quantizer<SqUniform<4>, L2>);
static_assert(Quantizer<SqUniform<8>, Cosine>);

}  // namespace kith::inline v0
