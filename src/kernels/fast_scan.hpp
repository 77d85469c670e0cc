// src/kernels/fast_scan.hpp — the scan of fast_scan.hpp, with the tables held in registers and looked up by byte
// shuffles.
//
// Two entries of 7 bits are added in a byte. Bytes are added up in registers of 16 bits: one sum takes the register as
// it is, the odd bytes riding on top of the even ones, the other takes the odd bytes alone, and in the end they are
// taken off. All of it is integer arithmetic, so every instruction set names the same vectors with the same totals.
//
// A block may get a new vector while it is read. Its bytes are read with the others and its sum is not looked at, so
// the thread sanitizer is told not to mind.
//
// Only sources built for one instruction set include this; see table.hpp for how they are reached.
// Source: as kith/distance/fast_scan.hpp.
#pragma once

#include "kernels/simd.hpp"
#include "kith/distance/fast_scan.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// What one instruction set does in its own words:
///   totals      writes the totals of a block's 32 vectors, and gives a bit for each that is at most the threshold
///   within      writes the bounds of 32 vectors, of the three numbers of each, and gives a bit for each that is not
///               above the limit
///   range       the least entry of a table of 16 floats, and how far the largest is above it
///   round_table 16 entries to bytes, written twice
template <class A>
struct ByteTables;

#if defined(__AVX2__) && defined(__FMA__)

template <>
struct ByteTables<Avx2> {
    [[gnu::always_inline]] static std::uint32_t totals(const FastScanQuery& query, const std::byte* block,
                                                       std::uint16_t threshold, std::uint16_t* out) noexcept {
        const __m256i low_bits = _mm256_set1_epi8(15);
        __m256i all = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
        const std::uint8_t* tables = query.tables;
        const std::byte* codes = block;
        for (std::size_t pair = 0; pair < query.pairs; pair += 2) {
            add(at(codes), at(tables), at(tables + 64), low_bits, all, odd);
            add(at(codes + 32), at(tables + 32), at(tables + 96), low_bits, all, odd);
            codes += 64;
            tables += 128;
        }
        const __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
        const __m256i lower = _mm256_unpacklo_epi16(even, odd), upper = _mm256_unpackhi_epi16(even, odd);
        const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(query.shift));
        const __m256i first =
            _mm256_add_epi16(_mm256_permute2x128_si256(lower, upper, 0x20), _mm256_srl_epi16(at(codes), shift));
        const __m256i second =
            _mm256_add_epi16(_mm256_permute2x128_si256(lower, upper, 0x31), _mm256_srl_epi16(at(codes + 32), shift));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), first);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 16), second);
        const __m256i limit = _mm256_set1_epi16(static_cast<short>(threshold));
        const __m256i kept = _mm256_packs_epi16(_mm256_cmpeq_epi16(_mm256_min_epu16(first, limit), first),
                                                _mm256_cmpeq_epi16(_mm256_min_epu16(second, limit), second));
        // Packing works in halves: put the quarters back in order.
        return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(kept, 0xd8)));
    }

    [[gnu::always_inline]] static std::uint32_t within(const FastScanBounds& bounds, const std::uint16_t* totals,
                                                       const float* numbers, float* out) noexcept {
        const __m256 unit = _mm256_set1_ps(bounds.unit), low = _mm256_set1_ps(bounds.low);
        const __m256 reach = _mm256_set1_ps(bounds.reach), limit = _mm256_set1_ps(bounds.limit);
        std::uint32_t kept = 0;
        for (std::size_t v = 0; v < FastScanLayout::vectors; v += 8) {
            const __m128i steps = _mm_loadu_si128(reinterpret_cast<const __m128i*>(totals + v));
            const __m256 product = _mm256_fmadd_ps(unit, _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(steps)), low);
            const __m256 estimate =
                _mm256_fnmadd_ps(_mm256_loadu_ps(numbers + 32 + v), product, _mm256_loadu_ps(numbers + v));
            const __m256 bound = _mm256_fnmadd_ps(_mm256_loadu_ps(numbers + 64 + v), reach, estimate);
            _mm256_storeu_ps(out + v, bound);
            const int not_above = _mm256_movemask_ps(_mm256_cmp_ps(bound, limit, _CMP_NGT_UQ));
            kept |= static_cast<std::uint32_t>(not_above) << v;
        }
        return kept;
    }

    [[gnu::always_inline]] static float range(const float* table, float* low) noexcept {
        const __m256 a = _mm256_loadu_ps(table), b = _mm256_loadu_ps(table + 8);
        const __m256 least = _mm256_min_ps(a, b), most = _mm256_max_ps(a, b);
        // The largest is the least of the negatives: both are reduced side by side.
        const __m256 negative = _mm256_sub_ps(_mm256_setzero_ps(), most);
        const __m256 halves =
            _mm256_min_ps(_mm256_permute2f128_ps(least, negative, 0x20), _mm256_permute2f128_ps(least, negative, 0x31));
        const __m256 pairs = _mm256_min_ps(halves, _mm256_permute_ps(halves, 0x4e));
        const __m256 one = _mm256_min_ps(pairs, _mm256_permute_ps(pairs, 0xb1));
        *low = _mm256_cvtss_f32(one);
        return -_mm_cvtss_f32(_mm256_extractf128_ps(one, 1)) - *low;
    }

    [[gnu::always_inline]] static void round_table(const float* table, float low, float inverse,
                                                   std::uint8_t* out) noexcept {
        const __m256 base = _mm256_set1_ps(low), scale = _mm256_set1_ps(inverse);
        const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(table), base), scale));
        const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(table + 8), base), scale));
        const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
        const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_broadcastsi128_si256(bytes));
    }

private:
    [[gnu::always_inline]] static __m256i at(const void* from) noexcept {
        return _mm256_loadu_si256(static_cast<const __m256i*>(from));
    }

    [[gnu::always_inline]] static void add(__m256i codes, __m256i low_table, __m256i high_table, __m256i low_bits,
                                           __m256i& all, __m256i& odd) noexcept {
        const __m256i low = _mm256_shuffle_epi8(low_table, _mm256_and_si256(codes, low_bits));
        const __m256i high = _mm256_shuffle_epi8(high_table, _mm256_and_si256(_mm256_srli_epi16(codes, 4), low_bits));
        const __m256i both = _mm256_add_epi8(low, high);
        all = _mm256_add_epi16(all, both);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16(both, 8));
    }
};

#endif

#if defined(__AVX512F__) && defined(__AVX512BW__)

// GCC 12 takes the register that _mm512_undefined leaves undefined on purpose for a mistake.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

template <>
struct ByteTables<Avx512> {
    [[gnu::always_inline]] static std::uint32_t totals(const FastScanQuery& query, const std::byte* block,
                                                       std::uint16_t threshold, std::uint16_t* out) noexcept {
        const __m512i low_bits = _mm512_set1_epi8(15);
        __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
        const std::uint8_t* tables = query.tables;
        const std::byte* codes = block;
        for (std::size_t pair = 0; pair < query.pairs; pair += 2) {
            const __m512i both_codes = _mm512_loadu_si512(codes);
            const __m512i low = _mm512_shuffle_epi8(_mm512_load_si512(tables), _mm512_and_si512(both_codes, low_bits));
            const __m512i high = _mm512_shuffle_epi8(_mm512_load_si512(tables + 64),
                                                     _mm512_and_si512(_mm512_srli_epi16(both_codes, 4), low_bits));
            const __m512i both = _mm512_add_epi8(low, high);
            all = _mm512_add_epi16(all, both);
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16(both, 8));
            codes += 64;
            tables += 128;
        }
        // The halves hold the sums of different pairs for the same vectors.
        const __m256i odds = fold(odd);
        const __m256i evens = _mm256_sub_epi16(fold(all), _mm256_slli_epi16(odds, 8));
        const __m256i lower = _mm256_unpacklo_epi16(evens, odds), upper = _mm256_unpackhi_epi16(evens, odds);
        const __m512i sums = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_permute2x128_si256(lower, upper, 0x20)),
                                                _mm256_permute2x128_si256(lower, upper, 0x31), 1);
        const __m512i offsets =
            _mm512_srl_epi16(_mm512_loadu_si512(codes), _mm_cvtsi32_si128(static_cast<int>(query.shift)));
        const __m512i total = _mm512_add_epi16(sums, offsets);
        _mm512_storeu_si512(out, total);
        return _mm512_cmple_epu16_mask(total, _mm512_set1_epi16(static_cast<short>(threshold)));
    }

    [[gnu::always_inline]] static std::uint32_t within(const FastScanBounds& bounds, const std::uint16_t* totals,
                                                       const float* numbers, float* out) noexcept {
        const __m512 unit = _mm512_set1_ps(bounds.unit), low = _mm512_set1_ps(bounds.low);
        const __m512 reach = _mm512_set1_ps(bounds.reach), limit = _mm512_set1_ps(bounds.limit);
        std::uint32_t kept = 0;
        for (std::size_t v = 0; v < FastScanLayout::vectors; v += 16) {
            const __m256i steps = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(totals + v));
            const __m512 product = _mm512_fmadd_ps(unit, _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(steps)), low);
            const __m512 estimate =
                _mm512_fnmadd_ps(_mm512_loadu_ps(numbers + 32 + v), product, _mm512_loadu_ps(numbers + v));
            const __m512 bound = _mm512_fnmadd_ps(_mm512_loadu_ps(numbers + 64 + v), reach, estimate);
            _mm512_storeu_ps(out + v, bound);
            kept |= std::uint32_t{_mm512_cmp_ps_mask(bound, limit, _CMP_NGT_UQ)} << v;
        }
        return kept;
    }

    [[gnu::always_inline]] static float range(const float* table, float* low) noexcept {
        const __m512 entries = _mm512_loadu_ps(table);
        *low = _mm512_reduce_min_ps(entries);
        return _mm512_reduce_max_ps(entries) - *low;
    }

    [[gnu::always_inline]] static void round_table(const float* table, float low, float inverse,
                                                   std::uint8_t* out) noexcept {
        const __m512 scaled =
            _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(table), _mm512_set1_ps(low)), _mm512_set1_ps(inverse));
        const __m128i bytes = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(scaled));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_broadcastsi128_si256(bytes));
    }

private:
    [[gnu::always_inline]] static __m256i fold(__m512i halves) noexcept {
        return _mm256_add_epi16(_mm512_castsi512_si256(halves), _mm512_extracti64x4_epi64(halves, 1));
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

#endif

#if defined(__aarch64__)

template <>
struct ByteTables<Neon> {
    [[gnu::always_inline]] static std::uint32_t totals(const FastScanQuery& query, const std::byte* block,
                                                       std::uint16_t threshold, std::uint16_t* out) noexcept {
        const uint8x16_t low_bits = vdupq_n_u8(15);
        uint16x8_t sums[4] = {vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0)};
        const auto* codes = reinterpret_cast<const std::uint8_t*>(block);
        for (std::size_t pair = 0; pair < query.pairs; ++pair) {
            const std::uint8_t* tables = query.tables + pair / 2 * 128 + pair % 2 * 32;
            const uint8x16_t low_table = vld1q_u8(tables), high_table = vld1q_u8(tables + 64);
            for (std::size_t half = 0; half < 2; ++half) {
                const uint8x16_t both_codes = vld1q_u8(codes + 16 * half);
                const uint8x16_t both = vaddq_u8(vqtbl1q_u8(low_table, vandq_u8(both_codes, low_bits)),
                                                 vqtbl1q_u8(high_table, vshrq_n_u8(both_codes, 4)));
                sums[2 * half] = vaddw_u8(sums[2 * half], vget_low_u8(both));
                sums[2 * half + 1] = vaddw_high_u8(sums[2 * half + 1], both);
            }
            codes += 32;
        }
        const auto* offsets = reinterpret_cast<const std::uint16_t*>(codes);
        const int16x8_t shift = vdupq_n_s16(static_cast<std::int16_t>(-static_cast<int>(query.shift)));
        const uint8x8_t bits = vcreate_u8(0x8040201008040201ULL);
        std::uint32_t kept = 0;
        for (std::size_t eighth = 0; eighth < 4; ++eighth) {
            const uint16x8_t total = vaddq_u16(sums[eighth], vshlq_u16(vld1q_u16(offsets + 8 * eighth), shift));
            vst1q_u16(out + 8 * eighth, total);
            const uint8x8_t nearer = vmovn_u16(vcleq_u16(total, vdupq_n_u16(threshold)));
            kept |= static_cast<std::uint32_t>(vaddv_u8(vand_u8(nearer, bits))) << (8 * eighth);
        }
        return kept;
    }

    [[gnu::always_inline]] static std::uint32_t within(const FastScanBounds& bounds, const std::uint16_t* totals,
                                                       const float* numbers, float* out) noexcept {
        const float32x4_t unit = vdupq_n_f32(bounds.unit), low = vdupq_n_f32(bounds.low);
        const float32x4_t reach = vdupq_n_f32(bounds.reach), limit = vdupq_n_f32(bounds.limit);
        const uint32x4_t bits = vcombine_u32(vcreate_u32(0x0000000200000001ULL), vcreate_u32(0x0000000800000004ULL));
        std::uint32_t kept = 0;
        for (std::size_t v = 0; v < FastScanLayout::vectors; v += 4) {
            const float32x4_t product = vfmaq_f32(low, unit, vcvtq_f32_u32(vmovl_u16(vld1_u16(totals + v))));
            const float32x4_t estimate = vfmsq_f32(vld1q_f32(numbers + v), vld1q_f32(numbers + 32 + v), product);
            const float32x4_t bound = vfmsq_f32(estimate, vld1q_f32(numbers + 64 + v), reach);
            vst1q_f32(out + v, bound);
            kept |= vaddvq_u32(vandq_u32(vmvnq_u32(vcgtq_f32(bound, limit)), bits)) << v;
        }
        return kept;
    }

    [[gnu::always_inline]] static float range(const float* table, float* low) noexcept {
        const float32x4_t a = vld1q_f32(table), b = vld1q_f32(table + 4);
        const float32x4_t c = vld1q_f32(table + 8), d = vld1q_f32(table + 12);
        *low = vminvq_f32(vminq_f32(vminq_f32(a, b), vminq_f32(c, d)));
        return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a, b), vmaxq_f32(c, d))) - *low;
    }

    [[gnu::always_inline]] static void round_table(const float* table, float low, float inverse,
                                                   std::uint8_t* out) noexcept {
        uint16x4_t words[4];
        for (std::size_t quarter = 0; quarter < 4; ++quarter) {
            const float32x4_t scaled =
                vmulq_n_f32(vsubq_f32(vld1q_f32(table + 4 * quarter), vdupq_n_f32(low)), inverse);
            words[quarter] = vmovn_u32(vcvtnq_u32_f32(scaled));
        }
        const uint8x16_t bytes =
            vcombine_u8(vmovn_u16(vcombine_u16(words[0], words[1])), vmovn_u16(vcombine_u16(words[2], words[3])));
        vst1q_u8(out, bytes);
        vst1q_u8(out + 16, bytes);
    }
};

#endif

template <class A>
void fast_scan_ranges(const float* tables, std::size_t count, float* lows, float* widest, float* sum) noexcept {
    float largest = 0, total = 0;
    for (std::size_t m = 0; m < count; ++m) {
        const float range = ByteTables<A>::range(tables + m * FastScanLayout::words, lows + m);
        largest = range > largest ? range : largest;
        total += range;
    }
    *widest = largest;
    *sum = total;
}

template <class A>
void fast_scan_round(const float* tables, std::size_t count, const float* lows, float inverse,
                     std::uint8_t* out) noexcept {
    const auto to = [out](std::size_t m) { return out + m / 4 * 128 + m % 2 * 64 + m / 2 % 2 * 32; };
    for (std::size_t m = 0; m < count; ++m) {
        ByteTables<A>::round_table(tables + m * FastScanLayout::words, lows[m], inverse, to(m));
    }
    for (std::size_t m = count; m % 4 != 0; ++m) {
        for (std::size_t byte = 0; byte < 32; ++byte) to(m)[byte] = 0;
    }
}

template <class A>
__attribute__((no_sanitize("thread"))) std::size_t fast_scan(const FastScanQuery& query, const std::byte* blocks,
                                                             std::size_t count, std::uint16_t threshold,
                                                             std::uint32_t* positions, std::uint16_t* totals) noexcept {
    constexpr std::size_t vectors = FastScanLayout::vectors;
    const std::size_t block_bytes = FastScanLayout::block_bytes(query.pairs);
    alignas(64) std::uint16_t block_totals[vectors];
    std::size_t kept = 0;
    for (std::size_t first = 0; first < count; first += vectors) {
        std::uint32_t nearer = ByteTables<A>::totals(query, blocks, threshold, block_totals);
        if (count - first < vectors) nearer &= (std::uint32_t{1} << (count - first)) - 1;
        for (; nearer != 0; nearer &= nearer - 1) {
            const auto at = static_cast<std::size_t>(__builtin_ctz(nearer));
            positions[kept] = static_cast<std::uint32_t>(first + at);
            totals[kept] = block_totals[at];
            ++kept;
        }
        blocks += block_bytes;
    }
    return kept;
}

template <class A>
__attribute__((no_sanitize("thread"))) std::size_t fast_scan_bounds(const FastScanQuery& query,
                                                                    const FastScanBounds& bounds,
                                                                    const std::byte* blocks, std::size_t count,
                                                                    std::uint32_t* positions, float* found) noexcept {
    constexpr std::size_t vectors = FastScanLayout::vectors;
    // What stands where a scan looks for offsets is shifted away.
    const FastScanQuery sums{query.tables, query.pairs, 16};
    const std::size_t code_bytes = FastScanLayout::code_bytes(query.pairs);
    alignas(64) std::uint16_t totals[vectors];
    alignas(64) float block_bounds[vectors];
    std::size_t kept = 0;
    for (std::size_t first = 0; first < count; first += vectors) {
        static_cast<void>(ByteTables<A>::totals(sums, blocks, 0, totals));
        const auto* const numbers = reinterpret_cast<const float*>(blocks + code_bytes);
        std::uint32_t within = ByteTables<A>::within(bounds, totals, numbers, block_bounds);
        if (count - first < vectors) within &= (std::uint32_t{1} << (count - first)) - 1;
        for (; within != 0; within &= within - 1) {
            const auto at = static_cast<std::size_t>(__builtin_ctz(within));
            positions[kept] = static_cast<std::uint32_t>(first + at);
            found[kept] = block_bounds[at];
            ++kept;
        }
        blocks += FastScanLayout::bounded_block_bytes(query.pairs);
    }
    return kept;
}

template <class A>
FastScanKernels make_fast_scan_kernels() noexcept {
    return {fast_scan_round<A>, fast_scan_ranges<A>, fast_scan<A>, fast_scan_bounds<A>};
}

}  // namespace detail

}  // namespace kith::inline v0
