// kith/quantize/pq.hpp — product quantization as a quantizer: 4 or 8 bits for each piece of a vector.
//
// A query is compared with codes through tables of its distances to every word, one look-up a piece. That is the
// codec for graphs and flat scans; inverted lists hold the same codes in another order (distance/fast_scan.hpp).
//
//   code  = the numbers of the words: with 8 bits one byte a piece, with 4 bits two pieces a byte, the first below;
//           zeros up to a multiple of 4 bytes
//   codec = subvectors:u32 bits:u32 words:f32 × subvectors × 2^bits × (dim / subvectors)
//
// Thread safety: a codec that is trained is only read.
// Source: Jégou, Douze & Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33(1), 2011.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/quantize/codebooks.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
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

/// Usable as a template argument, so that a schema can name it.
struct PqParams {
    std::uint32_t subvectors = 0;  ///< pieces of a vector, a divisor of the dimension; 0: half of the dimension
    std::uint32_t bits = 8;        ///< for each piece: 4 or 8

    friend constexpr bool operator==(const PqParams&, const PqParams&) noexcept = default;
};

namespace detail {

/// Looks up codes in the tables of one query.
template <unsigned bits>
class PqScorer {
public:
    /// Shape: `tables` holds 2^bits entries for each piece.
    PqScorer(const float* tables, const std::byte* codes, std::size_t code_bytes, std::size_t subvectors,
             float base) noexcept
        : tables_(tables), codes_(codes), code_bytes_(code_bytes), subvectors_(subvectors), base_(base) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        constexpr std::size_t ahead = 8;
        for (std::size_t i = 0; i < std::min(ahead, count); ++i) prefetch(slots[i]);
        for (std::size_t i = 0; i < count; ++i) {
            if (i + ahead < count) prefetch(slots[i + ahead]);
            out[i] = distance(slots[i]);
        }
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(first + static_cast<Slot>(i));
    }

    void prefetch(Slot slot) const noexcept {
        for (std::size_t byte = 0; byte < code_bytes_; byte += 64) __builtin_prefetch(code(slot) + byte);
    }

private:
    [[nodiscard]] const std::uint8_t* code(Slot slot) const noexcept {
        return reinterpret_cast<const std::uint8_t*>(codes_ + slot * code_bytes_);
    }

    [[nodiscard]] float distance(Slot slot) const noexcept {
        const std::uint8_t* const from = code(slot);
        const float* tables = tables_;
        float sums[4] = {base_, 0, 0, 0};
        if constexpr (bits == 8) {
            std::size_t m = 0;
            for (; m + 4 <= subvectors_; m += 4, tables += 4 * 256) {
                for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += tables[lane * 256 + from[m + lane]];
            }
            for (; m < subvectors_; ++m, tables += 256) sums[0] += tables[from[m]];
        } else {
            std::size_t m = 0;
            for (; m + 4 <= subvectors_; m += 4, tables += 4 * 16) {
                const std::uint8_t first = from[m / 2], second = from[m / 2 + 1];
                sums[0] += tables[first & 15];
                sums[1] += tables[16 + (first >> 4)];
                sums[2] += tables[32 + (second & 15)];
                sums[3] += tables[48 + (second >> 4)];
            }
            for (; m < subvectors_; ++m, tables += 16) sums[0] += tables[(from[m / 2] >> (m % 2 * 4)) & 15];
        }
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    const float* tables_;
    const std::byte* codes_;
    std::size_t code_bytes_;
    std::size_t subvectors_;
    float base_;  // what every distance has
};

template <class M, PqParams P>
class PqCodec {
    static_assert(P.bits == 4 || P.bits == 8, "kith: Pq: bits must be 4 or 8");
    static constexpr std::size_t words = std::size_t{1} << P.bits;
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    static constexpr bool is_l2 = std::same_as<M, L2>;

public:
    class View {
    public:
        View(const PqCodec& codec, const std::byte* codes) noexcept : codec_(&codec), codes_(codes) {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }
        [[nodiscard]] PqScorer<P.bits> scorer(const float* query, ScratchMemory& scratch) const {
            const float scale = is_cosine ? inverse_norm(query, dim()) : 1.0F;
            return codec_->against(query, scale, codes_, scratch);
        }
        [[nodiscard]] PqScorer<P.bits> scorer_of(Slot slot, ScratchMemory& scratch) const {
            return codec_->against_code(slot, codes_, scratch);
        }

    private:
        const PqCodec* codec_;
        const std::byte* codes_;
    };

    /// One row a word at least.
    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return words; }

    /// How many pieces vectors like those of `sample` are cut into.
    /// Throws: Errc::invalid_argument for too few rows, or sub-vectors that do not divide the dimension.
    [[nodiscard]] static std::size_t subvectors_for(MatrixView sample) {
        const std::size_t subvectors = subvectors_of(sample.dim);
        if (sample.rows < words) {
            raise(Errc::invalid_argument, "Pq needs " + std::to_string(words) + " vectors to train with, and got " +
                                              std::to_string(sample.rows));
        }
        return subvectors;
    }

    /// Throws: as subvectors_for; Errc::cancelled and what training.progress throws.
    [[nodiscard]] static PqCodec train(MatrixView sample, const Training& training) {
        const std::size_t subvectors = subvectors_for(sample);
        constexpr std::size_t rows_a_word = 128;
        const std::vector<std::size_t> chosen = sample_of(sample.rows, words * rows_a_word, mix64(training.seed));
        std::vector<float> rows(chosen.size() * sample.dim);
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const float* const row = sample.row(chosen[i]);
            const float scale = is_cosine ? inverse_norm(row, sample.dim) : 1.0F;
            for (std::size_t d = 0; d < sample.dim; ++d) rows[i * sample.dim + d] = row[d] * scale;
        }
        return PqCodec(
            Codebooks::train({rows.data(), chosen.size(), sample.dim, sample.dim}, subvectors, words, training));
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static PqCodec load(ByteReader& reader, std::size_t dim) {
        std::uint32_t subvectors = 0, bits = 0;
        const std::size_t at = reader.offset();
        if (!reader.u32(subvectors) || !reader.u32(bits)) raise(Errc::corrupt, "pq codec: ends within its header");
        if (bits != P.bits || subvectors == 0 || dim % subvectors != 0 ||
            (P.subvectors != 0 && subvectors != P.subvectors)) {
            raise(Errc::corrupt, "pq codec: " + std::to_string(subvectors) + " sub-vectors of " + std::to_string(bits) +
                                     " bits at offset " + std::to_string(at) + " are not those of dimension " +
                                     std::to_string(dim));
        }
        if (reader.remaining() / sizeof(float) / words < dim) {
            raise(Errc::corrupt, "pq codec: ends within its words");
        }
        std::vector<float> values(dim * words);
        static_cast<void>(reader.f32s(values));
        const bool finite = std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
        if (!finite) raise(Errc::corrupt, "pq codec: a word is not finite");
        return PqCodec(Codebooks(std::move(values), subvectors, words));
    }

    void save(ByteWriter& writer) const {
        writer.u32(static_cast<std::uint32_t>(codebooks_.subvectors()));
        writer.u32(P.bits);
        writer.f32s(codebooks_.values());
    }

    [[nodiscard]] std::size_t dim() const noexcept { return codebooks_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return code_bytes_for(codebooks_.subvectors()); }

    /// Throws: Errc::invalid_argument for a dimension that sub-vectors do not divide.
    [[nodiscard]] static CodecSpace space(std::size_t dim) {
        const std::size_t subvectors = subvectors_of(dim), word_bytes = dim * words * sizeof(float);
        constexpr std::size_t header_bytes = 8;
        return {code_bytes_for(subvectors), header_bytes + word_bytes,
                2 * word_bytes + subvectors * words * sizeof(float)};  // the words twice, and half their squares
    }

    /// Shape: `vector` holds dim() elements, `code` has room for code_bytes().
    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        float* const scaled = scratch.take_array<float>(dim() + codebooks_.subvectors());
        auto* const numbers = reinterpret_cast<std::uint8_t*>(scaled + dim());
        const float scale = is_cosine ? inverse_norm(vector, dim()) : 1.0F;
        std::memset(code, 0, code_bytes());
        if (scale == 0) return;
        for (std::size_t d = 0; d < dim(); ++d) scaled[d] = vector[d] * scale;
        codebooks_.encode(scaled, numbers);
        for (std::size_t m = 0; m < codebooks_.subvectors(); ++m) {
            if constexpr (P.bits == 8) {
                code[m] = static_cast<std::byte>(numbers[m]);
            } else {
                code[m / 2] |= static_cast<std::byte>(numbers[m] << (m % 2 * 4));
            }
        }
    }

    void decode(const std::byte* code, float* out) const noexcept {
        for (std::size_t m = 0; m < codebooks_.subvectors(); ++m) {
            out = std::copy_n(codebooks_.word(m, number(code, m)), codebooks_.sub_dim(), out);
        }
    }

    [[nodiscard]] View rows(const std::byte* codes) const noexcept { return View(*this, codes); }

private:
    explicit PqCodec(Codebooks codebooks) noexcept : codebooks_(std::move(codebooks)) {}

    [[nodiscard]] static std::size_t code_bytes_for(std::size_t subvectors) noexcept {
        return (subvectors * P.bits / 8 + (subvectors * P.bits % 8 != 0) + 3) / 4 * 4;
    }

    [[nodiscard]] static std::size_t subvectors_of(std::size_t dim) {
        if (dim == 0) raise(Errc::invalid_argument, "Pq needs at least one dimension");
        if (P.subvectors == 0) return dim % 2 == 0 ? dim / 2 : dim;
        if (dim % P.subvectors != 0) {
            raise(Errc::invalid_argument, "Pq: " + std::to_string(P.subvectors) +
                                              " sub-vectors do not divide the dimension " + std::to_string(dim));
        }
        return P.subvectors;
    }

    [[nodiscard]] static std::size_t number(const std::byte* code, std::size_t m) noexcept {
        if constexpr (P.bits == 8) return static_cast<std::size_t>(code[m]);
        return (static_cast<std::size_t>(code[m / 2]) >> (m % 2 * 4)) & 15;
    }

    [[nodiscard]] float* tables_in(ScratchMemory& scratch) const {
        return scratch.take_array<float>(codebooks_.subvectors() * words + codebooks_.dim());
    }

    [[nodiscard]] PqScorer<P.bits> against(const float* query, float scale, const std::byte* codes,
                                           ScratchMemory& scratch) const {
        float* const tables = tables_in(scratch);
        float* const vector = tables + codebooks_.subvectors() * words;
        for (std::size_t d = 0; d < dim(); ++d) vector[d] = query[d] * scale;
        fill(vector, tables);
        return PqScorer<P.bits>(tables, codes, code_bytes(), codebooks_.subvectors(), is_cosine ? 1.0F : 0.0F);
    }

    [[nodiscard]] PqScorer<P.bits> against_code(Slot slot, const std::byte* codes, ScratchMemory& scratch) const {
        float* const tables = tables_in(scratch);
        float* const vector = tables + codebooks_.subvectors() * words;
        decode(codes + slot * code_bytes(), vector);
        fill(vector, tables);
        return PqScorer<P.bits>(tables, codes, code_bytes(), codebooks_.subvectors(), is_cosine ? 1.0F : 0.0F);
    }

    /// What each piece adds to the distance, for each of its words. The same both ways round to the last bit: of L2
    /// the differences are summed themselves, and products are multiplied in one order.
    void fill(const float* vector, float* tables) const noexcept {
        if constexpr (!is_l2) {
            codebooks_.products(vector, tables);
            const std::size_t entries = codebooks_.subvectors() * words;
            for (std::size_t i = 0; i < entries; ++i) tables[i] = -tables[i];
        } else {
            const std::size_t sub_dim = codebooks_.sub_dim();
            for (std::size_t m = 0; m < codebooks_.subvectors(); ++m, vector += sub_dim) {
                for (std::size_t k = 0; k < words; ++k) {
                    const float* const word = codebooks_.word(m, k);
                    float sum = 0;
                    for (std::size_t d = 0; d < sub_dim; ++d) sum += L2::term(vector[d], word[d]);
                    *tables++ = sum;
                }
            }
        }
    }

    Codebooks codebooks_;
};

}  // namespace detail

/// A few bits for each piece of a vector: 8 bits a piece of two dimensions keep most of the order, at an eighth of the
/// bytes.
template <PqParams P = PqParams{}>
struct Pq {
    static constexpr std::string_view name = P.bits == 4 ? "pq4" : "pq8";  // stored on disk: never rename
    static constexpr float rescore = P.bits == 4 ? 10 : 4;
    static constexpr PqParams params = P;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept {
        return P.subvectors == 0 || dim % P.subvectors == 0;
    }

    template <class M>
    using Codec = detail::PqCodec<M, P>;
};

static_assert(Quantizer<Pq<>, L2>);
static_assert(Quantizer<Pq<PqParams{.subvectors = 4, .bits = 4}>, Cosine>);

}  // namespace kith::inline v0
