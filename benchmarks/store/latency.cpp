// benchmarks/store/latency.cpp — how long a search takes while a writer inserts, seals and merges.
//
//   latency [DIRECTORY [DATA [RATE [SECONDS [THREADS]]]]]   a folder for the collection (now the present one), one with
//                                                          the set `text` (- for made vectors), records a second that
//                                                          the writer replaces (now 1000), how long (now 20), and
//                                                          threads that search (now 1)
//
// A collection of 100,000 records of 384 dimensions is searched by itself, then while a writer replaces records at a
// steady rate, in batches of 100 at the default durability, so that it stays as large and its segments fill, are sealed
// and merged. The quiet and the busy times take turns.
#include "common.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using store::Document;
using store::Documents;
using Collection = kith::Collection<Documents>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t count = 100'000;
constexpr std::size_t limit = 10;

struct Load {
    double rate = 1000;  // records a second
    double seconds = 20;
    unsigned threads = 1;
};

/// Searches with `threads` threads for so long; returns the latencies in seconds.
std::vector<double> search(const Collection& collection, const std::vector<Document>& records, const Load& load) {
    std::vector<std::vector<double>> taken(load.threads);
    std::vector<std::thread> threads;
    const auto end = Clock::now() + std::chrono::duration<double>(load.seconds);
    for (unsigned thread = 0; thread < load.threads; ++thread) {
        threads.emplace_back([&, thread] {
            kith::SplitMix64 random(thread + 1);
            while (Clock::now() < end) {
                const Document& like = records[random.below(records.size())];
                taken[thread].push_back(store::seconds([&] {
                    const auto hits = collection.nearest<&Document::vector>(like.vector).limit(limit).run();
                    if (hits.size() != limit) std::abort();
                }));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<double> all;
    for (const auto& some : taken) all.insert(all.end(), some.begin(), some.end());
    return all;
}

/// Replaces records until told to stop, and counts what it sees come and go.
class Writer {
public:
    Writer(Collection& collection, const std::vector<Document>& records, double rate)
        : thread_([this, &collection, &records, rate] { run(collection, records, rate); }) {}
    ~Writer() { stop(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void stop() {
        stopping_.store(true);
        if (thread_.joinable()) thread_.join();
    }

    std::size_t written = 0;  // these are read after stop()
    std::size_t most_unlinked = 0;
    std::size_t most_segments = 0;
    std::size_t begun = 0;   // segments
    std::size_t merged = 0;  // segments that are gone

private:
    std::set<std::uint32_t> segments_;  // at the last look

    void run(Collection& collection, const std::vector<Document>& records, double rate) {
        constexpr std::size_t batch_size = 100;
        kith::SplitMix64 random(99);
        auto next = Clock::now();
        while (!stopping_.load()) {
            const std::size_t first = random.below(records.size() - batch_size);
            collection.upsert(std::span(records).subspan(first, batch_size));
            written += batch_size;
            std::size_t unlinked = 0;
            std::set<std::uint32_t> present;
            for (const kith::SegmentStats& segment : collection.stats().segments) {
                unlinked += segment.records + segment.deleted - segment.linked;
                present.insert(segment.id);
            }
            for (const std::uint32_t id : segments_) merged += present.count(id) == 0 ? 1U : 0U;
            for (const std::uint32_t id : present) begun += segments_.count(id) == 0 ? 1U : 0U;
            segments_.swap(present);
            most_segments = std::max(most_segments, segments_.size());
            most_unlinked = std::max(most_unlinked, unlinked);
            next += std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double>(static_cast<double>(batch_size) / rate));
            std::this_thread::sleep_until(next);
        }
    }

    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

void print(const char* what, const std::vector<double>& taken, double seconds) {
    std::printf("  %-6s %9.0f searches/s   p50 %7.0f us   p99 %7.0f us   p99.9 %7.0f us   longest %7.0f us\n", what,
                static_cast<double>(taken.size()) / seconds, 1e6 * store::quantile(taken, 0.5),
                1e6 * store::quantile(taken, 0.99), 1e6 * store::quantile(taken, 0.999),
                1e6 * store::quantile(taken, 1));
}

void run(const std::filesystem::path& directory, const std::filesystem::path& data, const Load& load) {
    const std::vector<Document> records = store::documents(data, count);
    const store::Folder folder(directory);
    kith::Options options;
    options.segment_bytes = 8U << 20U;  // some 5,000 records
    Collection collection(folder / "documents", options);
    for (std::size_t first = 0; first < count; first += 1000) {
        collection.insert(std::span(records).subspan(first, 1000));
    }
    collection.compact();
    std::printf("%zu records of %zu dimensions (%s), %.0f replaced a second, %u threads search\n", count, store::dim,
                store::source_of(data).c_str(), load.rate, load.threads);
    std::vector<double> quiet_p99, busy_p99;
    for (int round = 0; round < 3; ++round) {
        const std::vector<double> quiet = search(collection, records, load);
        Writer writer(collection, records, load.rate);
        const std::vector<double> busy = search(collection, records, load);
        writer.stop();
        print("quiet", quiet, load.seconds);
        print("busy", busy, load.seconds);
        std::printf(
            "         %.0f records/s written, at most %zu segments, %zu begun, %zu merged, at most %zu not linked\n",
            static_cast<double>(writer.written) / load.seconds, writer.most_segments, writer.begun, writer.merged,
            writer.most_unlinked);
        quiet_p99.push_back(store::quantile(quiet, 0.99));
        busy_p99.push_back(store::quantile(busy, 0.99));
        collection.compact();
    }
    std::printf("p99, median of 3: busy %.2f times quiet\n", store::median(busy_p99) / store::median(quiet_p99));
}

}  // namespace

int main(int argc, char** argv) {
    return store::run_main("latency", [&] {
        const std::string data = argc > 2 ? argv[2] : "-";
        Load load;
        if (argc > 3) load.rate = std::strtod(argv[3], nullptr);
        if (argc > 4) load.seconds = std::strtod(argv[4], nullptr);
        if (argc > 5) load.threads = static_cast<unsigned>(std::strtoul(argv[5], nullptr, 10));
        run(argc > 1 ? argv[1] : ".", data == "-" ? "" : data, load);
    });
}
