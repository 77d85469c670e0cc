// benchmarks/store/buffer_mode.cpp — what reading an index through a cache of blocks costs, all of it in memory or not.
//
//   buffer_mode [DIRECTORY [VECTORS]]   where the files are written; default: the present folder, 100,000 vectors
//
// One index of 128-dimensional vectors, codes of 4 bits and a graph, is mapped whole, read through a cache that holds
// all of it, and through one that holds a quarter. The three take turns, each thread alone; the answers are compared
// before the times.
#include "common.hpp"

#include <kith/index.hpp>
#include <kith/storage.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace {

using kith::detail::BlockCache;
using kith::detail::CachedFile;
using kith::detail::SegmentFile;
using kith::detail::SegmentFileTag;
using Tag = kith::Hnsw<kith::HnswParams{}, kith::Sq4>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t dim = 128, limit = 10, query_count = 1000;
constexpr SegmentFileTag rows_tag{{}, 1, 0}, graph_tag{{}, 1, 1};

/// Vectors around some centres, as real ones lie.
std::vector<float> vectors_of(std::size_t count, std::uint64_t seed) {
    kith::SplitMix64 centre_random(7), random(seed);
    std::vector<float> centres(500 * dim), vectors(count * dim);
    for (float& value : centres) value = static_cast<float>(centre_random.uniform());
    for (std::size_t at = 0; at < count; ++at) {
        const float* const centre = &centres[random.below(500) * dim];
        for (std::size_t d = 0; d < dim; ++d) {
            vectors[at * dim + d] = centre[d] + static_cast<float>(random.uniform()) / 2;
        }
    }
    return vectors;
}

/// Answers every query and keeps what was found; returns queries a second.
double ask(const kith::VectorIndex& index, const std::vector<float>& queries, std::vector<kith::Neighbor>& found) {
    static kith::SearchScratch scratch;
    found.resize(query_count * limit);
    const auto begin = Clock::now();
    for (std::size_t at = 0; at < query_count; ++at) {
        const kith::SearchParams params{limit, 64, kith::BitsetView(index.rows())};
        index.search(&queries[at * dim], params, scratch, &found[at * limit]);
    }
    return query_count / std::chrono::duration<double>(Clock::now() - begin).count();
}

int run(const std::filesystem::path& folder, kith::Slot count) {
    const std::filesystem::path rows_path = folder / "buffer_mode.rows", graph_path = folder / "buffer_mode.graph";
    {
        const std::vector<float> vectors = vectors_of(count, 1);
        const auto index = kith::make_vector_index<kith::L2, Tag>(dim, count);
        for (kith::Slot slot = 0; slot < count; ++slot) index->append(&vectors[slot * dim]);
        index->index_up_to(count, 2);
        write_segment_file(rows_path, rows_tag, [&](const auto& sink) { index->save_rows(sink); });
        write_segment_file(graph_path, graph_tag, [&](const auto& sink) { index->save_graph(sink); });
    }
    const std::uint64_t bytes = std::filesystem::file_size(rows_path) + std::filesystem::file_size(graph_path);
    const auto map = [&](const kith::ImageBytes& rows, const kith::ImageBytes& graph) {
        return kith::map_vector_index<kith::L2, Tag>(dim, count, rows, graph);
    };
    const auto all = std::make_shared<BlockCache>(bytes + bytes / 4), quarter = std::make_shared<BlockCache>(bytes / 4);
    const SegmentFile rows(rows_path, rows_tag), graph(graph_path, graph_tag);
    CachedFile all_rows(all, rows_path, rows_tag), all_graph(all, graph_path, graph_tag);
    CachedFile some_rows(quarter, rows_path, rows_tag), some_graph(quarter, graph_path, graph_tag);
    rows.verify();
    graph.verify();
    struct Case {
        const char* name;
        std::unique_ptr<kith::VectorIndex> index;
        std::vector<double> rates;
        std::vector<kith::Neighbor> found;
    };
    Case cases[] = {{"mapped whole", map(rows.payload(), graph.payload()), {}, {}},
                    {"cache of all", map(all_rows.image(), all_graph.image()), {}, {}},
                    {"cache of a quarter", map(some_rows.image(), some_graph.image()), {}, {}}};
    const std::vector<float> queries = vectors_of(query_count, 2);
    for (Case& each : cases) ask(*each.index, queries, each.found);
    const std::uint64_t reads_before = quarter->stats().reads;
    constexpr int rounds = 7;
    for (int round = 0; round < rounds; ++round) {
        for (Case& each : cases) each.rates.push_back(ask(*each.index, queries, each.found));
    }
    const double reads = static_cast<double>(quarter->stats().reads - reads_before) / (rounds * query_count);
    std::printf("%u vectors of %zu dimensions, hnsw/sq4, %.0f MB, one thread, %zu queries, median of %d\n", count, dim,
                static_cast<double>(bytes) / 1e6, query_count, rounds);
    for (const Case& each : cases) {
        if (each.found != cases[0].found) {
            std::printf("%s: other answers than mapped whole\n", each.name);
            return 1;
        }
        std::printf("%-20s %8.0f queries/s\n", each.name, store::median(each.rates));
    }
    std::printf("through the cache of a quarter a query reads %.1f blocks of 64 KiB\n", reads);
    std::filesystem::remove(rows_path);
    std::filesystem::remove(graph_path);
    return 0;
}

}  // namespace

int main(int argument_count, char** arguments) {
    const std::filesystem::path folder = argument_count > 1 ? arguments[1] : ".";
    const unsigned long count = argument_count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 100'000;
    return run(folder, static_cast<kith::Slot>(count));
}
