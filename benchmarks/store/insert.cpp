// benchmarks/store/insert.cpp — how fast records are acknowledged, and how long until all are in the graph.
//
//   insert [DIRECTORY [DATA [THREADS [RECORDS]]]]   a folder on the disk to be measured (now the present one), one with
//                                                   the set `text` (- for made vectors), threads that link (now 2)
//
// 100,000 records of a 384-dimensional vector and three scalar fields come in batches of 1,000 at the default
// durability. In turns with that, the same vectors are built into a bare graph by as many threads, and the same records
// written with less and less asked for: what each layer costs shows in the differences.
#include "common.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace {

using store::Document;
using store::Documents;
using Collection = kith::Collection<Documents>;

constexpr std::size_t batch = 1000;
constexpr int rounds = 3;

struct Times {
    std::vector<double> acknowledged;
    std::vector<double> linked;  // from the first insert on
};

void measure(Collection& collection, const std::vector<Document>& records, Times& times) {
    double acknowledged = 0;
    const double linked = store::seconds([&] {
        acknowledged = store::seconds([&] {
            for (std::size_t first = 0; first < records.size(); first += batch) {
                collection.insert(std::span(records).subspan(first, std::min(batch, records.size() - first)));
            }
        });
        collection.link();
    });
    times.acknowledged.push_back(acknowledged);
    times.linked.push_back(linked);
}

/// The graph alone, as the schema's field has it.
double build_bare(const std::vector<Document>& records, unsigned threads) {
    using Tag = kith::Hnsw<kith::HnswParams{}, kith::Sq4>;
    const auto index = kith::make_vector_index<kith::Cosine, Tag>(store::dim, kith::Options().segment_capacity);
    return store::seconds([&] {
        for (const Document& record : records) index->append(record.vector.data());
        index->index_up_to(index->rows(), threads);
    });
}

void print(const char* what, double time, std::size_t records) {
    std::printf("  %-58s %8.2f s %10.0f records/s\n", what, time, static_cast<double>(records) / time);
}

void run(const std::filesystem::path& directory, const std::filesystem::path& data, unsigned threads,
         std::size_t count) {
    const std::vector<Document> records = store::documents(data, count);
    const store::Folder folder(directory);
    kith::Options options;
    options.index_threads = threads;
    std::vector<double> bare;
    Times in_memory, unsynced, synced;
    std::vector<double> disk;
    for (int round = 0; round < rounds; ++round) {
        bare.push_back(build_bare(records, threads));
        {
            options.durability = kith::Durability::each_commit();
            Collection collection(folder / "each_commit", options);
            measure(collection, records, synced);
        }
        {
            options.durability = kith::Durability::on_checkpoint();
            Collection collection(folder / "on_checkpoint", options);
            measure(collection, records, unsynced);
        }
        {
            Collection collection(kith::in_memory, options);
            measure(collection, records, in_memory);
        }
        disk.push_back(store::synced_write(folder, batch * store::dim * sizeof(float), 20) *
                       static_cast<double>(count) / batch);
        std::filesystem::remove_all(folder / "each_commit");
        std::filesystem::remove_all(folder / "on_checkpoint");
    }
    std::printf("%zu records of %zu dimensions (%s), batches of %zu, %u threads link; medians of %d\n", count,
                store::dim, store::source_of(data).c_str(), batch, threads, rounds);
    std::printf("acknowledged:\n");
    print("each_commit", store::median(synced.acknowledged), count);
    print("the same, not synced", store::median(unsynced.acknowledged), count);
    print("the same, in memory", store::median(in_memory.acknowledged), count);
    print("as many bytes written and synced, and nothing else", store::median(disk), count);
    std::printf("in the graph, from the first insert on:\n");
    print("the bare graph", store::median(bare), count);
    print("each_commit", store::median(synced.linked), count);
    print("not synced", store::median(unsynced.linked), count);
    print("in memory", store::median(in_memory.linked), count);
    std::printf("  the rate at each_commit is %.0f %% of the bare graph's\n",
                100 * store::median(bare) / store::median(synced.linked));
}

}  // namespace

int main(int argc, char** argv) {
    return store::run_main("insert", [&] {
        const std::string data = argc > 2 ? argv[2] : "-";
        run(argc > 1 ? argv[1] : ".", data == "-" ? "" : data,
            argc > 3 ? static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)) : 2,
            argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 100'000);
    });
}
