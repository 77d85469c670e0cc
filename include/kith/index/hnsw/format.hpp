// kith/index/hnsw/format.hpp — the bytes of a finished HNSW graph, written once and mapped without copying.
//
//   image   = header bottom towers states blocks   each part begins at a multiple of 64 bytes, zeros between
//   header  = magic:8 version:u32 max_links:u32 ef_construction:u32 entry:u32 seed:u64 count:u32 block_count:u32
//             zeros up to 64
//   bottom  = count lists of 2 * max_links slots:u32       the links of level 0; no_slot where there is none
//   towers  = count numbers:u32                            the block of the slot's level 1, the next levels follow;
//                                                          no_slot where the slot has level 0 only
//   states  = count bytes                                  for who adds links: the highest bit is set where the first
//                                                          link of level 0 leads to an equal vector; the others count
//                                                          the links behind it that need no pruning among themselves
//   blocks  = block_count lists of max_links slots:u32     the links of the higher levels
//
// All of it little-endian, and mapped as it is, so a big-endian machine refuses it. Whoever stores the image adds the
// checksum. Here sizes and the entry are checked; the links need not be, since no search trusts them (see graph.hpp).
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/hnsw/graph.hpp"
#include "kith/index/hnsw/params.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

inline constexpr std::string_view graph_magic = "kithhnsw";  // on disk
inline constexpr std::uint32_t graph_version = 2;            // on disk
inline constexpr std::size_t graph_header_bytes = 64;        // on disk
inline constexpr std::size_t graph_alignment = 64;           // on disk

/// Where the parts of an image begin, from its start.
struct GraphLayout {
    std::size_t bottom, towers, states, blocks, end;

    static GraphLayout of(std::uint32_t max_links, Slot count, std::uint32_t block_count) noexcept {
        const auto next = [](std::size_t at) { return (at + graph_alignment - 1) / graph_alignment * graph_alignment; };
        const std::size_t list = std::size_t{max_links} * sizeof(Slot);
        GraphLayout layout{};
        layout.bottom = graph_header_bytes;
        layout.towers = next(layout.bottom + 2 * list * count);
        layout.states = next(layout.towers + std::size_t{count} * sizeof(std::uint32_t));
        layout.blocks = next(layout.states + count);
        layout.end = layout.blocks + list * block_count;
        return layout;
    }
};

/// Calls sink(data, bytes) for the image, piece by piece. Requires: nobody inserts.
/// Throws: Errc::unsupported_version on a big-endian machine; what the sink throws.
template <class Sink>
void save_graph(const HnswGraph& graph, const Sink& sink) {
    if constexpr (std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "graph image: this format is for little-endian machines");
    }
    const HnswParams& params = graph.params();
    const HnswGraph::Arrays arrays = graph.arrays();
    std::string header;
    ByteWriter writer(header);
    writer.bytes(graph_magic);
    writer.u32(graph_version);
    writer.u32(params.max_links);
    writer.u32(params.ef_construction);
    writer.u32(arrays.entry);
    writer.u64(params.seed);
    writer.u32(arrays.count);
    writer.u32(arrays.block_count);
    header.resize(graph_header_bytes);
    sink(header.data(), header.size());

    const GraphLayout layout = GraphLayout::of(params.max_links, arrays.count, arrays.block_count);
    const std::array<char, graph_alignment> zeros{};
    const auto part = [&](const void* data, std::size_t bytes, std::size_t begin, std::size_t next) {
        if (bytes > 0) sink(data, bytes);
        if (next > begin + bytes) sink(zeros.data(), next - begin - bytes);
    };
    part(arrays.bottom, arrays.count * graph.width(0) * sizeof(Slot), layout.bottom, layout.towers);
    part(arrays.towers, arrays.count * sizeof(std::uint32_t), layout.towers, layout.states);
    constexpr Slot at_once = 4096;
    std::array<std::uint8_t, at_once> states;
    for (Slot first = 0; first < arrays.count; first += at_once) {
        const Slot now = std::min(at_once, arrays.count - first);
        for (Slot i = 0; i < now; ++i) states[i] = graph.remembered(first + i);
        sink(states.data(), now);
    }
    part(nullptr, 0, layout.states + arrays.count, layout.blocks);
    part(arrays.blocks, arrays.block_count * graph.width(1) * sizeof(Slot), layout.blocks, layout.end);
}

struct MappedGraph {
    HnswParams params;
    HnswGraph::Arrays arrays;
};

/// Reads the header of an image of `count` nodes and finds its parts.
/// Requires: image.data() is aligned to 64 bytes.
/// Throws: Errc::corrupt, Errc::unsupported_version; the text says which number is wrong and at which offset.
inline MappedGraph map_graph(const ImageBytes& image, Slot count) {
    const Held held = image.hold(0, graph_header_bytes);
    const auto* bytes = reinterpret_cast<const char*>(image.data());
    ByteReader reader(std::string_view(bytes, image.size()));
    std::string_view magic;
    std::uint32_t version = 0;
    MappedGraph mapped;
    if (!reader.bytes(graph_magic.size(), magic) || magic != graph_magic) {
        raise(Errc::corrupt, "graph image: no magic number at offset 0");
    }
    if (!reader.u32(version) || version != graph_version || std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "graph image: has version " + std::to_string(version) + ", this build reads " +
                                             std::to_string(graph_version));
    }
    HnswGraph::Arrays& arrays = mapped.arrays;
    HnswParams& params = mapped.params;
    if (!reader.u32(params.max_links) || !reader.u32(params.ef_construction) || !reader.u32(arrays.entry) ||
        !reader.u64(params.seed) || !reader.u32(arrays.count) || !reader.u32(arrays.block_count) ||
        image.size() < graph_header_bytes) {
        raise(Errc::corrupt, "graph image: ends at offset " + std::to_string(image.size()) + ", within its header");
    }
    if (params.max_links < HnswParams::fewest_links || params.max_links > HnswParams::most_links ||
        params.ef_construction == 0) {
        raise(Errc::corrupt, "graph image: impossible parameters at offset 12");
    }
    if (arrays.count != count) {
        raise(Errc::corrupt, "graph image: the count at offset 32 is " + std::to_string(arrays.count) + ", not " +
                                 std::to_string(count));
    }
    if (arrays.count == 0 ? arrays.entry != no_slot : arrays.entry >= arrays.count) {
        raise(Errc::corrupt, "graph image: the entry at offset 20 is slot " + std::to_string(arrays.entry) + " of " +
                                 std::to_string(arrays.count));
    }
    const GraphLayout layout = GraphLayout::of(params.max_links, arrays.count, arrays.block_count);
    if (image.size() != layout.end) {
        raise(Errc::corrupt, "graph image: holds " + std::to_string(image.size()) + " bytes, its header asks for " +
                                 std::to_string(layout.end));
    }
    arrays.bottom = reinterpret_cast<const Slot*>(bytes + layout.bottom);
    arrays.towers = reinterpret_cast<const std::uint32_t*>(bytes + layout.towers);
    arrays.states = reinterpret_cast<const std::uint8_t*>(bytes + layout.states);
    arrays.blocks = reinterpret_cast<const Slot*>(bytes + layout.blocks);
    arrays.residency = image.residency;
    return mapped;
}

}  // namespace kith::inline v0::detail
