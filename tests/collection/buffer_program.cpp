// tests/collection/buffer_program.cpp — writes an index, and asks it, mapped whole or through a cache of blocks.
//
//   buffer_program make FOLDER        writes rows and graph of some 40 MB
//   buffer_program ask FOLDER BYTES   prints a checksum of the answers; BYTES of cache, 0 for none
//
// memory_limit.py runs the second in a memory cgroup.
#include "kith/core/crc32c.hpp"
#include "kith/core/random.hpp"
#include "kith/index.hpp"
#include "kith/storage/cached_file.hpp"
#include "kith/storage/segment_file.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace {

using kith::detail::BlockCache;
using kith::detail::CachedFile;
using kith::detail::SegmentFile;
using kith::detail::SegmentFileTag;
using Tag = kith::Hnsw<kith::HnswParams{.max_links = 8, .ef_construction = 30}, kith::Sq4>;

constexpr std::size_t dim = 768;
constexpr kith::Slot count = 12'000;
constexpr SegmentFileTag rows_tag{{}, 1, 0}, graph_tag{{}, 1, 1};

class Vectors {
public:
    explicit Vectors(std::uint64_t seed) : random_(seed) {}

    const float* next() {
        for (float& value : vector_) value = static_cast<float>(random_.uniform());
        return vector_.data();
    }

private:
    kith::SplitMix64 random_;
    std::vector<float> vector_ = std::vector<float>(dim);
};

void make(const std::filesystem::path& folder) {
    const auto index = kith::make_vector_index<kith::L2, Tag>(dim, count);
    Vectors vectors(1);
    for (kith::Slot slot = 0; slot < count; ++slot) index->append(vectors.next());
    index->index_up_to(count, 2);
    write_segment_file(folder / "rows", rows_tag, [&](const auto& sink) { index->save_rows(sink); });
    write_segment_file(folder / "graph", graph_tag, [&](const auto& sink) { index->save_graph(sink); });
}

std::uint32_t ask(const kith::VectorIndex& index) {
    constexpr std::size_t limit = 10;
    Vectors queries(2);
    kith::SearchScratch scratch;
    std::vector<kith::Neighbor> found(limit);
    std::uint32_t sum = 0;
    for (int query = 0; query < 300; ++query) {
        const kith::SearchParams params{limit, 50, kith::BitsetView(count)};
        const float* const vector = queries.next();
        if (query % 100 == 0) {
            index.search_exact(vector, params, scratch, found.data());
        } else {
            index.search(vector, params, scratch, found.data());
        }
        for (const kith::Neighbor& neighbor : found) {
            sum = kith::crc32c(&neighbor.slot, sizeof(neighbor.slot), sum);
            sum = kith::crc32c(&neighbor.distance, sizeof(neighbor.distance), sum);
        }
    }
    return sum;
}

std::uint32_t ask(const std::filesystem::path& folder, std::uint64_t cache_bytes) {
    const auto map = [](const kith::ImageBytes& rows, const kith::ImageBytes& graph) {
        return kith::map_vector_index<kith::L2, Tag>(dim, count, rows, graph);
    };
    if (cache_bytes == 0) {
        const SegmentFile rows(folder / "rows", rows_tag), graph(folder / "graph", graph_tag);
        return ask(*map(rows.payload(), graph.payload()));
    }
    const auto cache = std::make_shared<BlockCache>(cache_bytes);
    CachedFile rows(cache, folder / "rows", rows_tag), graph(cache, folder / "graph", graph_tag);
    const std::uint32_t sum = ask(*map(rows.image(), graph.image()));
    rows.raise_damage();
    graph.raise_damage();
    return sum;
}

}  // namespace

int main(int argument_count, char** arguments) {
    const std::string_view act = argument_count > 1 ? arguments[1] : "";
    if (act == "make" && argument_count == 3) {
        make(arguments[2]);
    } else if (act == "ask" && argument_count == 4) {
        std::printf("%08x\n", ask(std::filesystem::path(arguments[2]), std::strtoull(arguments[3], nullptr, 10)));
    } else {
        std::fputs("usage: buffer_program make FOLDER | ask FOLDER BYTES\n", stderr);
        return 2;
    }
    return 0;
}
