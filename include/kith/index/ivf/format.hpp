// kith/index/ivf/format.hpp — the bytes of a finished inverted file, written once and mapped.
//
//   image    = header centroids mean words counts records slots graph   each part begins at a multiple of 64 bytes,
//                                                                  zeros between
//   header   = magic:8 version:u32 dim:u32 lists:u32 count:u32 subvectors:u32 blocks:u32 nprobe:u32 wished_lists:u32
//              wished_subvectors:u32 offset_low:f32 offset_step:f32 metric:16 seed:u64 trained_error:f64
//              added_error:f64 added:u64 graph_bytes:u64 graph_from:u32   zeros up to 128; lists is 0 when it is
//              not trained
//   centroids = lists rows of dim f32        mean = dim f32, none without codes
//   words    = pieces of 16 words of f32, none without codes      counts = lists u32, the vectors of each
//   records, slots = the blocks of each list in order, see blocks.hpp; what no vector fills is zero
//   graph    = the image of a graph over the centroids (hnsw/format.hpp), or nothing
//
// All of it little-endian. Blocks are mapped as they are, so a big-endian machine refuses it; the rest is copied, for
// kernels want it in another order. Whoever stores the image adds the checksum. Sizes, counts and numbers are checked
// here; slots are checked by the search, which returns none that it was not allowed.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/ivf/params.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr std::string_view ivf_magic = "kith_ivf";  // on disk
inline constexpr std::uint32_t ivf_version = 1;            // on disk
inline constexpr std::size_t ivf_header_bytes = 128;       // on disk
inline constexpr std::size_t ivf_alignment = 64;           // on disk
inline constexpr std::size_t ivf_metric_bytes = 16;        // on disk

/// The numbers of a header, in the order they are written.
struct IvfHeader {
    std::uint32_t dim = 0, lists = 0, count = 0, subvectors = 0, blocks = 0;
    IvfParams params;
    IvfOffsets offsets;
    double trained_error = 0, added_error = 0;
    std::uint64_t added = 0;
    std::uint64_t graph_bytes = 0;
};

/// Where the parts of an image begin, from its start.
struct IvfLayout {
    std::uint64_t centroids, mean, words, counts, records, slots, graph, end;

    static IvfLayout of(const IvfHeader& header) noexcept {
        const auto next = [](std::uint64_t at) { return (at + ivf_alignment - 1) / ivf_alignment * ivf_alignment; };
        const bool coded = header.subvectors > 0;
        const std::uint64_t padded =
            coded ? (header.dim + header.subvectors - std::uint64_t{1}) / header.subvectors * header.subvectors : 0;
        const std::size_t pairs = FastScanLayout::pairs(header.subvectors);
        const std::uint64_t record = coded ? next(FastScanLayout::block_bytes(pairs)) : 0;
        IvfLayout layout{};
        layout.centroids = ivf_header_bytes;
        layout.mean = next(layout.centroids + std::uint64_t{4} * header.lists * header.dim);
        layout.words = next(layout.mean + (coded ? std::uint64_t{4} * header.dim : 0));
        layout.counts = next(layout.words + padded * FastScanLayout::words * 4);
        layout.records = next(layout.counts + std::uint64_t{4} * header.lists);
        layout.slots = next(layout.records + record * header.blocks);
        layout.graph = layout.slots + std::uint64_t{4} * IvfBlocks::vectors * header.blocks;
        layout.end = layout.graph + header.graph_bytes;
        return layout;
    }
};

inline std::string ivf_header(const IvfHeader& header, std::string_view metric) {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.bytes(ivf_magic);
    writer.u32(ivf_version);
    for (const std::uint32_t number : {header.dim, header.lists, header.count, header.subvectors, header.blocks,
                                       header.params.nprobe, header.params.lists, header.params.subvectors}) {
        writer.u32(number);
    }
    writer.f32(header.offsets.low);
    writer.f32(header.offsets.step);
    std::string name(metric.substr(0, ivf_metric_bytes));
    name.resize(ivf_metric_bytes);
    writer.bytes(name);
    writer.u64(header.params.seed);
    writer.f64(header.trained_error);
    writer.f64(header.added_error);
    writer.u64(header.added);
    writer.u64(header.graph_bytes);
    writer.u32(header.params.graph_from);
    bytes.resize(ivf_header_bytes);
    return bytes;
}

/// Writes bytes to a sink and counts them, so that parts begin where the layout says.
template <class Sink>
class IvfImage {
public:
    explicit IvfImage(const Sink& sink) noexcept : sink_(sink) {}

    void bytes(const void* data, std::size_t count) {
        if (count > 0) sink_(data, count);
        written_ += count;
    }
    void floats(const std::vector<float>& values) { bytes(values.data(), values.size() * sizeof(float)); }
    void align() {
        const std::array<char, ivf_alignment> zeros{};
        bytes(zeros.data(), (ivf_alignment - written_ % ivf_alignment) % ivf_alignment);
    }

private:
    const Sink& sink_;
    std::size_t written_ = 0;
};

/// Calls act(block, vectors in it) for the blocks of all lists in order.
template <class Act>
void each_block(const IvfBlocks& blocks, const Act& act) {
    for (std::size_t list = 0; list < blocks.lists(); ++list) {
        std::size_t left = blocks.count(list);
        std::uint32_t block = blocks.head(list);
        while (left > 0) {
            const IvfBlocks::Run run = blocks.run(block, left, 1);
            act(run.first, run.count);
            left -= run.count;
        }
    }
}

/// Writes lists and model. `header` holds what is not theirs.
/// Throws: Errc::unsupported_version on a big-endian machine; what the sink throws.
template <class Sink>
void save_ivf(const IvfModel& model, const IvfBlocks& blocks, const std::string& graph, IvfHeader header,
              std::string_view metric, const Sink& sink) {
    if constexpr (std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "ivf image: this format is for little-endian machines");
    }
    header.dim = static_cast<std::uint32_t>(model.dim());
    header.lists = static_cast<std::uint32_t>(model.lists());
    header.subvectors = static_cast<std::uint32_t>(model.codebooks.subvectors());
    header.offsets = model.offsets;
    header.trained_error = model.trained_error;
    header.graph_bytes = graph.size();
    each_block(blocks, [&](std::uint32_t, std::size_t) { ++header.blocks; });

    IvfImage<Sink> image(sink);
    const std::string bytes = ivf_header(header, metric);
    image.bytes(bytes.data(), bytes.size());
    for (const std::vector<float>* part : {&model.centroids.values(), &model.mean, &model.codebooks.values()}) {
        image.floats(*part);
        image.align();
    }
    for (std::size_t list = 0; list < blocks.lists(); ++list) {
        const std::uint32_t count = blocks.count(list);
        image.bytes(&count, sizeof(count));
    }
    image.align();
    each_block(blocks,
               [&](std::uint32_t block, std::size_t) { image.bytes(blocks.record(block), blocks.record_bytes()); });
    each_block(blocks, [&](std::uint32_t block, std::size_t) {
        image.bytes(blocks.slots(block), IvfBlocks::vectors * sizeof(Slot));
    });
    image.bytes(graph.data(), graph.size());
}

struct MappedIvf {
    IvfHeader header;
    std::optional<std::pair<IvfModel, IvfBlocks>> trained;
    std::span<const std::byte> graph;  // empty where there is none
};

/// The floats of a part. Throws: Errc::corrupt when one is not finite.
inline std::vector<float> mapped_floats(std::span<const std::byte> image, std::uint64_t at, std::uint64_t count) {
    std::vector<float> values(count);
    if (count > 0) std::memcpy(values.data(), image.data() + at, count * sizeof(float));
    for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(values[i])) {
            raise(Errc::corrupt, "ivf image: no finite number at offset " + std::to_string(at + 4 * i));
        }
    }
    return values;
}

/// Reads and checks the header of an image of `count` rows.
/// Throws: Errc::corrupt, Errc::unsupported_version; the text says what is wrong and at which offset.
inline IvfHeader mapped_ivf_header(std::span<const std::byte> image, Slot count, std::string_view metric, bool coded) {
    ByteReader reader(std::string_view(reinterpret_cast<const char*>(image.data()), image.size()));
    std::string_view magic, stored_metric;
    std::uint32_t version = 0;
    IvfHeader header;
    if (!reader.bytes(ivf_magic.size(), magic) || magic != ivf_magic) {
        raise(Errc::corrupt, "ivf image: no magic number at offset 0");
    }
    if (!reader.u32(version) || version != ivf_version || std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "ivf image: version " + std::to_string(version) + " is not read here");
    }
    bool whole = image.size() >= ivf_header_bytes;
    for (std::uint32_t* const number : {&header.dim, &header.lists, &header.count, &header.subvectors, &header.blocks,
                                        &header.params.nprobe, &header.params.lists, &header.params.subvectors}) {
        whole = whole && reader.u32(*number);
    }
    whole = whole && reader.f32(header.offsets.low) && reader.f32(header.offsets.step) &&
            reader.bytes(ivf_metric_bytes, stored_metric) && reader.u64(header.params.seed) &&
            reader.f64(header.trained_error) && reader.f64(header.added_error) && reader.u64(header.added) &&
            reader.u64(header.graph_bytes) && reader.u32(header.params.graph_from);
    if (!whole) {
        raise(Errc::corrupt, "ivf image: ends at offset " + std::to_string(image.size()) + ", within its header");
    }
    const std::string expected = ivf_header({}, metric).substr(52, ivf_metric_bytes);
    if (stored_metric != expected) raise(Errc::corrupt, "ivf image: another metric at offset 52");
    if (header.count != count) {
        raise(Errc::corrupt, "ivf image: the count at offset 20 is " + std::to_string(header.count) + ", not " +
                                 std::to_string(count));
    }
    const bool trained = header.lists > 0;
    const bool possible =
        header.lists <= IvfParams::most_lists && header.params.lists <= IvfParams::most_lists &&
        header.subvectors <= IvfParams::most_subvectors && header.params.subvectors <= IvfParams::most_subvectors &&
        (header.subvectors > 0) == (coded && trained) && (header.dim > 0) == trained &&
        header.blocks <= count / IvfBlocks::vectors + header.lists && header.graph_bytes <= image.size() &&
        std::isfinite(header.offsets.low) && header.offsets.step >= 0 && std::isfinite(header.offsets.step) &&
        std::isfinite(header.trained_error) && std::isfinite(header.added_error);
    if (!possible) raise(Errc::corrupt, "ivf image: impossible numbers in the header from offset 12");
    const IvfLayout layout = IvfLayout::of(header);
    const std::uint64_t end = trained ? layout.end : ivf_header_bytes;
    if (image.size() != end) {
        raise(Errc::corrupt, "ivf image: holds " + std::to_string(image.size()) + " bytes, its header asks for " +
                                 std::to_string(end));
    }
    return header;
}

/// Requires: image.data() is aligned to 64 bytes. Throws: Errc::corrupt, Errc::unsupported_version, std::bad_alloc.
inline MappedIvf map_ivf(std::span<const std::byte> image, Slot count, std::string_view metric, bool coded) {
    MappedIvf mapped{mapped_ivf_header(image, count, metric, coded), {}, {}};
    const IvfHeader& header = mapped.header;
    if (header.lists == 0) return mapped;
    const IvfLayout layout = IvfLayout::of(header);
    IvfModel model;
    model.centroids =
        Centroids(mapped_floats(image, layout.centroids, std::uint64_t{header.lists} * header.dim), header.dim);
    if (coded) {
        const std::uint64_t sub_dim = (header.dim + header.subvectors - std::uint64_t{1}) / header.subvectors;
        model.mean = mapped_floats(image, layout.mean, header.dim);
        model.codebooks =
            Codebooks(mapped_floats(image, layout.words, sub_dim * header.subvectors * FastScanLayout::words),
                      header.subvectors, FastScanLayout::words);
    }
    model.offsets = header.offsets;
    model.trained_error = header.trained_error;

    std::vector<std::uint32_t> counts(header.lists);
    std::memcpy(counts.data(), image.data() + layout.counts, counts.size() * sizeof(std::uint32_t));
    std::uint64_t vectors = 0, blocks = 0;
    for (const std::uint32_t size : counts) {
        vectors += size;
        blocks += IvfBlocks::blocks_for(size);
    }
    if (vectors != count || blocks != header.blocks) {
        raise(Errc::corrupt,
              "ivf image: the counts of the lists from offset " + std::to_string(layout.counts) + " do not add up");
    }
    mapped.graph = image.subspan(layout.graph, header.graph_bytes);
    const std::size_t record_bytes = model.record_bytes();
    mapped.trained.emplace(std::move(model), IvfBlocks(counts, record_bytes, image.data() + layout.records,
                                                       reinterpret_cast<const Slot*>(image.data() + layout.slots)));
    return mapped;
}

}  // namespace kith::inline v0::detail
