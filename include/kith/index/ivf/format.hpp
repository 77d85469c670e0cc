// kith/index/ivf/format.hpp — the bytes of a finished inverted file, written once and mapped.
//
//   image    = header centroids mean words counts records slots graph   each part begins at a multiple of 64 bytes,
//                                                                  zeros between
//   header   = magic:8 version:u32 dim:u32 lists:u32 count:u32 subvectors:u32 blocks:u32 nprobe:u32 wished_lists:u32
//              wished_subvectors:u32 offset_low:f32 offset_step:f32 metric:16 seed:u64 trained_error:f64
//              added_error:f64 added:u64 graph_bytes:u64 graph_from:u32 content:8 rotation_seed:u64;
//              lists is 0 when it is not trained, content is "rabitq1" or zeros
//   centroids = lists rows of dim f32        mean = dim f32, none without codes
//   words    = pieces of 16 words of f32, for product codes alone      counts = lists u32, the vectors of each
//   records, slots = the blocks of each list in order, see blocks.hpp; what no vector fills is zero. Codes have
//              offsets beside them in records of product codes, bounds in those of RaBitQ (distance/fast_scan.hpp)
//   graph    = the image of a graph over the centroids (hnsw/format.hpp), or nothing
//
// All of it little-endian. Blocks are mapped as they are, so a big-endian machine refuses it; the rest is copied, for
// kernels want it in another order. Whoever stores the image adds the checksum. Sizes, counts and numbers are checked
// here; slots are checked by the search, which returns none that it was not allowed.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/residency.hpp"
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
inline constexpr std::size_t ivf_content_bytes = 8;        // on disk

/// The numbers of a header, in the order they are written.
struct IvfHeader {
    std::uint32_t dim = 0, lists = 0, count = 0, subvectors = 0, blocks = 0;
    IvfParams params;
    float offset_low = 0, offset_step = 0;  // of product codes
    double trained_error = 0, added_error = 0;
    std::uint64_t added = 0;
    std::uint64_t graph_bytes = 0;
    std::uint64_t rotation_seed = 0;  // of RaBitQ
};

/// Where the parts of an image begin, from its start.
struct IvfLayout {
    std::uint64_t centroids, mean, words, counts, records, slots, graph, end;

    static IvfLayout of(const IvfHeader& header, const IvfParts& parts) noexcept {
        const auto next = [](std::uint64_t at) { return (at + ivf_alignment - 1) / ivf_alignment * ivf_alignment; };
        IvfLayout layout{};
        layout.centroids = ivf_header_bytes;
        layout.mean = next(layout.centroids + std::uint64_t{4} * header.lists * header.dim);
        layout.words = next(layout.mean + 4 * parts.mean);
        layout.counts = next(layout.words + 4 * parts.words);
        layout.records = next(layout.counts + std::uint64_t{4} * header.lists);
        layout.slots = next(layout.records + parts.record_bytes * header.blocks);
        layout.graph = layout.slots + std::uint64_t{4} * IvfBlocks::vectors * header.blocks;
        layout.end = layout.graph + header.graph_bytes;
        return layout;
    }
};

/// A name in a field of `bytes` bytes, zeros behind it.
inline std::string ivf_name(std::string_view name, std::size_t bytes) {
    std::string field(name.substr(0, bytes));
    field.resize(bytes);
    return field;
}

inline std::string ivf_header(const IvfHeader& header, std::string_view metric, std::string_view content) {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.bytes(ivf_magic);
    writer.u32(ivf_version);
    for (const std::uint32_t number : {header.dim, header.lists, header.count, header.subvectors, header.blocks,
                                       header.params.nprobe, header.params.lists, header.params.subvectors}) {
        writer.u32(number);
    }
    writer.f32(header.offset_low);
    writer.f32(header.offset_step);
    writer.bytes(ivf_name(metric, ivf_metric_bytes));
    writer.u64(header.params.seed);
    writer.f64(header.trained_error);
    writer.f64(header.added_error);
    writer.u64(header.added);
    writer.u64(header.graph_bytes);
    writer.u32(header.params.graph_from);
    writer.bytes(ivf_name(content, ivf_content_bytes));
    writer.u64(header.rotation_seed);
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
template <class Codes, class Sink>
void save_ivf(const IvfModel<Codes>& model, const IvfBlocks& blocks, const std::string& graph, IvfHeader header,
              std::string_view metric, const Sink& sink) {
    if constexpr (std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "ivf image: this format is for little-endian machines");
    }
    header.dim = static_cast<std::uint32_t>(model.dim());
    header.lists = static_cast<std::uint32_t>(model.lists());
    model.codes.describe(header);
    header.trained_error = model.trained_error;
    header.graph_bytes = graph.size();
    each_block(blocks, [&](std::uint32_t, std::size_t) { ++header.blocks; });

    IvfImage<Sink> image(sink);
    const std::string bytes = ivf_header(header, metric, Codes::content);
    image.bytes(bytes.data(), bytes.size());
    for (const std::vector<float>* part : {&model.centroids.values(), &model.codes.mean(), &model.codes.words()}) {
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

template <class Codes>
struct MappedIvf {
    IvfHeader header;
    std::optional<std::pair<IvfModel<Codes>, IvfBlocks>> trained;
    ImageBytes graph;  // empty where there is none
};

/// Copies a part of an image, some at a time, so that no more than a little of it need be in memory.
inline void copy_mapped(const ImageBytes& image, std::uint64_t at, void* to, std::size_t bytes) noexcept {
    for (std::size_t done = 0; done < bytes;) {
        const std::size_t now = std::min(bytes - done, Residency::most_bytes);
        const Held held = image.hold(at + done, now);
        std::memcpy(static_cast<std::byte*>(to) + done, image.data() + at + done, now);
        done += now;
    }
}

/// The floats of a part. Throws: Errc::corrupt when one is not finite.
inline std::vector<float> mapped_floats(const ImageBytes& image, std::uint64_t at, std::uint64_t count) {
    std::vector<float> values(count);
    copy_mapped(image, at, values.data(), count * sizeof(float));
    for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(values[i])) {
            raise(Errc::corrupt, "ivf image: no finite number at offset " + std::to_string(at + 4 * i));
        }
    }
    return values;
}

/// Reads and checks the header of an image of `count` rows.
/// Throws: Errc::corrupt, Errc::unsupported_version; the text says what is wrong and at which offset.
template <class Codes>
IvfHeader mapped_ivf_header(const ImageBytes& image, Slot count, std::string_view metric) {
    const Held held = image.hold(0, ivf_header_bytes);
    ByteReader reader(std::string_view(reinterpret_cast<const char*>(image.data()), image.size()));
    std::string_view magic, stored_metric, content;
    std::uint32_t version = 0;
    IvfHeader header;
    if (!reader.bytes(ivf_magic.size(), magic) || magic != ivf_magic) {
        raise(Errc::corrupt, "ivf image: no magic number at offset 0");
    }
    if (!reader.u32(version) || version != ivf_version || std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "ivf image: has version " + std::to_string(version) + ", this build reads " +
                                             std::to_string(ivf_version));
    }
    bool whole = image.size() >= ivf_header_bytes;
    for (std::uint32_t* const number : {&header.dim, &header.lists, &header.count, &header.subvectors, &header.blocks,
                                        &header.params.nprobe, &header.params.lists, &header.params.subvectors}) {
        whole = whole && reader.u32(*number);
    }
    whole = whole && reader.f32(header.offset_low) && reader.f32(header.offset_step) &&
            reader.bytes(ivf_metric_bytes, stored_metric) && reader.u64(header.params.seed) &&
            reader.f64(header.trained_error) && reader.f64(header.added_error) && reader.u64(header.added) &&
            reader.u64(header.graph_bytes) && reader.u32(header.params.graph_from) &&
            reader.bytes(ivf_content_bytes, content) && reader.u64(header.rotation_seed);
    if (!whole) {
        raise(Errc::corrupt, "ivf image: ends at offset " + std::to_string(image.size()) + ", within its header");
    }
    if (stored_metric != ivf_name(metric, ivf_metric_bytes)) {
        raise(Errc::corrupt, "ivf image: another metric at offset 52");
    }
    if (content != ivf_name(Codes::content, ivf_content_bytes)) {
        raise(Errc::corrupt, "ivf image: lists of another content at offset 112");
    }
    if (header.count != count) {
        raise(Errc::corrupt, "ivf image: the count at offset 20 is " + std::to_string(header.count) + ", not " +
                                 std::to_string(count));
    }
    const bool trained = header.lists > 0;
    const bool possible =
        header.lists <= IvfParams::most_lists && header.params.lists <= IvfParams::most_lists &&
        header.subvectors <= IvfParams::most_subvectors && header.params.subvectors <= IvfParams::most_subvectors &&
        (trained ? header.dim > 0 && Codes::possible(header) : header.dim == 0 && header.subvectors == 0) &&
        header.blocks <= count / IvfBlocks::vectors + header.lists && header.graph_bytes <= image.size() &&
        std::isfinite(header.trained_error) && std::isfinite(header.added_error);
    if (!possible) raise(Errc::corrupt, "ivf image: impossible numbers in the header from offset 12");
    const std::uint64_t end = trained ? IvfLayout::of(header, Codes::parts(header)).end : ivf_header_bytes;
    if (image.size() != end) {
        raise(Errc::corrupt, "ivf image: holds " + std::to_string(image.size()) + " bytes, its header asks for " +
                                 std::to_string(end));
    }
    return header;
}

/// Requires: image.data() is aligned to 64 bytes. Throws: Errc::corrupt, Errc::unsupported_version.
template <class Codes>
MappedIvf<Codes> map_ivf(const ImageBytes& image, Slot count, std::string_view metric) {
    MappedIvf<Codes> mapped{mapped_ivf_header<Codes>(image, count, metric), {}, {}};
    const IvfHeader& header = mapped.header;
    if (header.lists == 0) return mapped;
    const IvfParts parts = Codes::parts(header);
    const IvfLayout layout = IvfLayout::of(header, parts);
    IvfModel<Codes> model;
    model.centroids =
        Centroids(mapped_floats(image, layout.centroids, std::uint64_t{header.lists} * header.dim), header.dim);
    model.codes = Codes::load(header, mapped_floats(image, layout.mean, parts.mean),
                              mapped_floats(image, layout.words, parts.words));
    model.trained_error = header.trained_error;

    std::vector<std::uint32_t> counts(header.lists);
    copy_mapped(image, layout.counts, counts.data(), counts.size() * sizeof(std::uint32_t));
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
    mapped.trained.emplace(std::move(model),
                           IvfBlocks(counts, parts.record_bytes, image.data() + layout.records,
                                     reinterpret_cast<const Slot*>(image.data() + layout.slots), image.residency));
    return mapped;
}

}  // namespace kith::inline v0::detail
