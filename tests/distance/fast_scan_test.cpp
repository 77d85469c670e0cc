// tests/distance/fast_scan_test.cpp — sums of table entries, the same numbers on every instruction set.
#include "kith/distance/fast_scan.hpp"

#include "kith/core/scratch_memory.hpp"
#include "kith/distance/dispatch.hpp"
#include "laws/metric_laws.hpp"
#include "support/available_isas.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

using kith::FastScanLayout;
using kith::Isa;

namespace {

/// Random codes in blocks, the tables of a random query, and the totals added up one by one.
class Codes {
public:
    Codes(std::size_t subvectors, std::size_t vectors, std::uint64_t seed, unsigned most, unsigned largest_offset)
        : pairs(FastScanLayout::pairs(subvectors)), count(vectors), random_(seed) {
        const std::size_t block_bytes = FastScanLayout::block_bytes(pairs);
        blocks.resize((count + 31) / 32 * block_bytes);
        for (std::byte& byte : blocks) byte = static_cast<std::byte>(random_());  // also where no vector is
        for (std::size_t v = 0; v < (count + 31) / 32 * 32; ++v) {
            const auto offset = static_cast<std::uint16_t>(random_.below(largest_offset + 1));
            std::memcpy(&blocks[v / 32 * block_bytes + pairs * 32 + v % 32 * 2], &offset, 2);
            offsets.push_back(offset);
        }
        entries.resize(subvectors * 16);
        for (float& entry : entries) entry = static_cast<float>(random_.below(most + 1));
        for (std::size_t m = 0; m < subvectors; ++m) entries[m * 16 + random_.below(16)] = 0;
    }

    [[nodiscard]] unsigned total(std::size_t v, unsigned shift) const {
        unsigned sum = offsets[v] >> shift;
        for (std::size_t m = 0; m < entries.size() / 16; ++m) {
            const auto byte =
                static_cast<unsigned>(blocks[v / 32 * FastScanLayout::block_bytes(pairs) + m / 2 * 32 + v % 32]);
            sum += static_cast<unsigned>(entries[m * 16 + (m % 2 == 0 ? byte & 15 : byte >> 4)]);
        }
        return sum;
    }

    std::size_t pairs, count;
    std::vector<std::byte> blocks;
    std::vector<unsigned> offsets;
    std::vector<float> entries;

private:
    kith::SplitMix64 random_;
};

struct Found {
    std::vector<std::uint32_t> positions;
    std::vector<std::uint16_t> totals;
};

Found scan(Isa isa, const Codes& codes, unsigned shift, std::uint16_t threshold) {
    const kith::FastScanKernels kernels = kith::fast_scan_kernels(isa);
    const std::size_t subvectors = codes.entries.size() / 16;
    kith::ScratchMemory memory;
    auto* tables = memory.take_array<std::uint8_t>(FastScanLayout::table_bytes(codes.pairs));
    const std::vector<float> lows(subvectors, 0.0F);
    kernels.round(codes.entries.data(), subvectors, lows.data(), 1, tables);
    Found found;
    found.positions.resize((codes.count + 31) / 32 * 32);
    found.totals.resize(found.positions.size());
    const std::size_t kept = kernels.scan({tables, codes.pairs, shift}, codes.blocks.data(), codes.count, threshold,
                                          found.positions.data(), found.totals.data());
    found.positions.resize(kept);
    found.totals.resize(kept);
    return found;
}

}  // namespace

TEST_CASE("a scan names exactly those within the threshold, with their totals, on every instruction set") {
    for (const std::size_t subvectors : {1U, 2U, 3U, 4U, 5U, 50U, 196U, 300U}) {
        for (const std::size_t count : {1U, 31U, 32U, 33U, 200U}) {
            const Codes codes(subvectors, count, subvectors * 1000 + count, 127, 5000);
            for (const unsigned shift : {0U, 3U, 15U}) {
                const unsigned middle = codes.total(count / 2, shift);
                for (const unsigned threshold : {0U, middle - 1, middle, 65535U}) {
                    std::vector<std::uint32_t> positions;
                    std::vector<std::uint16_t> totals;
                    for (std::size_t v = 0; v < count; ++v) {
                        if (codes.total(v, shift) > threshold) continue;
                        positions.push_back(static_cast<std::uint32_t>(v));
                        totals.push_back(static_cast<std::uint16_t>(codes.total(v, shift)));
                    }
                    for (const Isa isa : kith_test::available_isas()) {
                        INFO(kith::name(isa) << ", " << subvectors << " sub-vectors, " << count << " vectors");
                        const Found found = scan(isa, codes, shift, static_cast<std::uint16_t>(threshold));
                        CHECK(found.positions == positions);
                        CHECK(found.totals == totals);
                    }
                }
            }
        }
    }
}

TEST_CASE("a scan for bounds names those within the limit, with their bounds, on every instruction set") {
    kith::SplitMix64 random(3);
    for (const std::size_t subvectors : {4U, 8U, 28U, 196U}) {
        const std::size_t pairs = FastScanLayout::pairs(subvectors);
        const std::size_t block_bytes = FastScanLayout::bounded_block_bytes(pairs);
        for (const std::size_t count : {1U, 31U, 32U, 33U, 200U}) {
            const Codes codes(subvectors, count, subvectors * 1000 + count, 127, 0);
            std::vector<std::byte> blocks((count + 31) / 32 * block_bytes);
            std::vector<float> numbers = kith_test::random_floats(random, (count + 31) / 32 * 96, 3);
            if (count > 31) numbers[7] = NAN;
            for (std::size_t block = 0; block * 32 < count; ++block) {
                std::memcpy(&blocks[block * block_bytes], &codes.blocks[block * FastScanLayout::block_bytes(pairs)],
                            FastScanLayout::code_bytes(pairs));
                std::memcpy(&blocks[block * block_bytes + FastScanLayout::code_bytes(pairs)], &numbers[block * 96],
                            96 * sizeof(float));
            }
            const kith::FastScanBounds bounds{.unit = 0.01F, .low = -3, .reach = 2.5F, .limit = 0};
            kith::ScratchMemory memory;
            auto* const tables = memory.take_array<std::uint8_t>(FastScanLayout::table_bytes(pairs));
            const std::vector<float> lows(subvectors, 0.0F);
            for (const Isa isa : kith_test::available_isas()) {
                INFO(kith::name(isa) << ", " << subvectors << " sub-vectors, " << count << " vectors");
                const kith::FastScanKernels kernels = kith::fast_scan_kernels(isa);
                kernels.round(codes.entries.data(), subvectors, lows.data(), 1, tables);
                std::vector<std::uint32_t> positions((count + 31) / 32 * 32);
                std::vector<float> found(positions.size());
                const std::size_t kept = kernels.scan_bounds({tables, pairs, 0}, bounds, blocks.data(), count,
                                                             positions.data(), found.data());
                std::size_t at = 0;
                for (std::size_t v = 0; v < count; ++v) {
                    const float* const of = &numbers[v / 32 * 96 + v % 32];
                    const double product = -3 + 0.01 * codes.total(v, 0);
                    const double bound = static_cast<double>(of[0]) - static_cast<double>(of[32]) * product -
                                         static_cast<double>(of[64]) * 2.5;
                    const bool named = at < kept && positions[at] == v;
                    if (std::abs(bound) > 1e-4 || std::isnan(bound)) CHECK(named == !(bound > 0));
                    if (named && !std::isnan(bound)) CHECK(found[at] == Approx(bound).margin(1e-4));
                    at += named ? 1U : 0U;
                }
                CHECK(at == kept);
            }
        }
    }
}

TEST_CASE("totals up to the largest number of 16 bits are right") {
    // 2048 sub-vectors of at most 31 leave room for an offset of 2047.
    const Codes codes(2048, 40, 7, 31, 2047);
    for (const Isa isa : kith_test::available_isas()) {
        const Found found = scan(isa, codes, 0, 65535);
        REQUIRE(found.totals.size() == 40);
        for (std::size_t v = 0; v < 40; ++v) CHECK(found.totals[v] == codes.total(v, 0));
    }
}

TEST_CASE("tables are rounded alike on every instruction set, and their ranges found") {
    kith::SplitMix64 random(5);
    for (const std::size_t count : {1U, 2U, 7U, 50U}) {
        const std::vector<float> tables = kith_test::random_floats(random, count * 16, 3);
        std::vector<std::uint8_t> expected;
        for (const Isa isa : kith_test::available_isas()) {
            INFO(kith::name(isa) << ", " << count << " tables");
            const kith::FastScanKernels kernels = kith::fast_scan_kernels(isa);
            std::vector<float> lows(count);
            float widest = 0, sum = 0, true_widest = 0;
            kernels.ranges(tables.data(), count, lows.data(), &widest, &sum);
            for (std::size_t m = 0; m < count; ++m) {
                const auto [low, high] = std::minmax_element(&tables[m * 16], &tables[m * 16] + 16);
                CHECK(lows[m] == *low);
                true_widest = std::max(true_widest, *high - *low);
            }
            CHECK(widest == true_widest);
            CHECK(sum <= widest * static_cast<float>(count) * 1.0001F);
            kith::ScratchMemory memory;
            const std::size_t bytes = FastScanLayout::table_bytes(FastScanLayout::pairs(count));
            auto* rounded = memory.take_array<std::uint8_t>(bytes);
            std::fill_n(rounded, bytes, std::uint8_t{255});
            kernels.round(tables.data(), count, lows.data(), 127 / widest, rounded);
            CHECK(*std::max_element(rounded, rounded + bytes) == 127);
            if (expected.empty()) expected.assign(rounded, rounded + bytes);
            CHECK(std::equal(expected.begin(), expected.end(), rounded));
        }
    }
}

TEST_CASE("entries are rounded to the nearest, ties to even, and never beyond what two of them may add up to") {
    const float below = std::nextafter(127.5F, 0.0F);
    const std::vector<float> table = {0,   0.5F,   1,   1.5F,   2,   2.5F,   63.5F, 64.5F,
                                      125, 125.5F, 126, 126.5F, 127, 127.4F, below, std::nextafter(0.5F, 1.0F)};
    const std::vector<unsigned> rounded = {0, 0, 1, 2, 2, 2, 64, 64, 125, 126, 126, 126, 127, 127, 127, 1};
    for (const Isa isa : kith_test::available_isas()) {
        INFO(kith::name(isa));
        kith::ScratchMemory memory;
        auto* const out = memory.take_array<std::uint8_t>(FastScanLayout::table_bytes(FastScanLayout::pairs(1)));
        const float low = 0;
        kith::fast_scan_kernels(isa).round(table.data(), 1, &low, 1, out);
        CHECK(std::vector<unsigned>(out, out + 16) == rounded);
        CHECK(*std::max_element(out, out + 16) == FastScanLayout::most);
    }
}
