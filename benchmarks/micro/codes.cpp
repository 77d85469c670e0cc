// benchmarks/micro/codes.cpp — the kernels that searches over codes run: those of Sq8 and Sq4, which a graph walks by
// default, of RaBitQ with one bit and SqUniform with four, and the scan over 4-bit words in blocks.
#include "codes.hpp"

#include "kith/core/element.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/packed_dispatch.hpp"
#include "kith/quantize/packed_code.hpp"
#include "kith/quantize/scalar.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace micro {

namespace {

constexpr std::size_t default_dims[] = {128, 768};

std::span<const std::size_t> dims_of(const Bench& bench) {
    return bench.dims.empty() ? std::span<const std::size_t>(default_dims) : bench.dims;
}

std::vector<std::int8_t> random_bytes(std::size_t count) {
    kith::SplitMix64 random(1);
    std::vector<std::int8_t> made(count);
    for (std::int8_t& byte : made) byte = static_cast<std::int8_t>(static_cast<int>(random.below(255)) - 127);
    return made;
}

template <class Q, unsigned bits>
void measure_scaled(const Bench& bench) {
    if (!bench.wants(Q::name)) return;
    const auto* const rows = reinterpret_cast<const std::uint8_t*>(bench.memory);
    for (const kith::Isa isa : bench.isas()) {
        const kith::CodeKernels kernels = kith::code_kernels<bits>(isa);
        for (const std::size_t dim : dims_of(bench)) {
            const std::vector<float> one(dim, 1.0F);
            const std::size_t stride =
                Q::template Codec<kith::L2>::train({one.data(), 1, dim, dim}, kith::Training{}).code_bytes();
            const std::vector<std::int8_t> codes = random_bytes((dim + 127) / 128 * 128);
            const kith::CodeQuery query{codes.data(), 0.5F, 1.0F, 0};
            std::array<float, most_slots_a_call> out;
            measure(
                bench, {"l2", Q::name, isa, dim, stride, kith::detail::CodeShape<bits>::row_bytes(dim)},
                [&](std::size_t first, std::size_t count) {
                    kernels.block(query, rows + first * stride, stride, dim, count, out.data());
                    keep(out.data());
                },
                [&](const kith::Slot* slots, std::size_t count) {
                    kernels.slots(query, rows, stride, dim, slots, count, out.data());
                    keep(out.data());
                });
        }
    }
}

void measure_packed(const Bench& bench, std::string_view name, unsigned bits, std::size_t head) {
    if (!bench.wants(name)) return;
    for (const kith::Isa isa : bench.isas()) {
        const kith::PackedDots dots = kith::packed_dots(bits, isa);
        for (const std::size_t dim : dims_of(bench)) {
            const kith::PackedShape shape{dim, head, kith::detail::packed_stride(head, bits, dim)};
            const std::vector<std::int8_t> query = random_bytes(kith::detail::packed_query_bytes(bits, dim));
            std::array<std::int32_t, most_slots_a_call> out;
            measure(
                bench, {"dot", name, isa, dim, shape.stride, head + kith::detail::packed_bytes(bits, dim)},
                [&](std::size_t first, std::size_t count) {
                    dots.block(query.data(), bench.memory + first * shape.stride, shape, count, out.data());
                    keep(out.data());
                },
                [&](const kith::Slot* slots, std::size_t count) {
                    dots.slots(query.data(), bench.memory, shape, slots, count, out.data());
                    keep(out.data());
                });
        }
    }
}

/// A row is a block of 32 vectors, of which a word stands for two elements.
void measure_scan(const Bench& bench, std::string_view name) {
    if (!bench.wants(name)) return;
    using Layout = kith::FastScanLayout;
    constexpr std::size_t blocks_a_call = 16;
    for (const kith::Isa isa : bench.isas()) {
        const kith::FastScanKernels kernels = kith::fast_scan_kernels(isa);
        for (const std::size_t dim : dims_of(bench)) {
            const std::size_t words = std::max<std::size_t>(dim / 2, 1), pairs = Layout::pairs(words);
            const std::size_t most = std::min<std::size_t>(Layout::most, 65000 / words);  // that totals may hold
            kith::ScratchMemory memory;
            auto* const tables = memory.take_array<std::uint8_t>(Layout::table_bytes(pairs));
            const std::vector<std::int8_t> random = random_bytes(Layout::table_bytes(pairs));
            for (std::size_t i = 0; i < random.size(); ++i) {
                tables[i] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(random[i]) % (most + 1));
            }
            const kith::FastScanQuery query{tables, pairs, 15};
            std::array<std::uint32_t, blocks_a_call * Layout::vectors> positions;
            std::array<std::uint16_t, blocks_a_call * Layout::vectors> totals;
            const std::size_t bytes = Layout::block_bytes(pairs);
            measure(
                bench, {"sum", name, isa, dim, bytes, bytes, blocks_a_call},
                [&](std::size_t first, std::size_t count) {
                    // The threshold is below what there is, as it soon is in a search.
                    const std::size_t kept = kernels.scan(query, bench.memory + first * bytes, count * Layout::vectors,
                                                          0, positions.data(), totals.data());
                    keep(&kept);
                },
                OnlyInOrder{});
        }
    }
}

}  // namespace

void measure_codes(const Bench& bench) {
    measure_scaled<kith::Sq8, 8>(bench);
    measure_scaled<kith::Sq4, 4>(bench);
    measure_packed(bench, "packed1", 1, 16);
    measure_packed(bench, "packed4", 4, 4);
    measure_scan(bench, "scan4");
}

}  // namespace micro
