// benchmarks/store/open.cpp — how long until a collection is open, and how fast its log is replayed.
//
//   open [DIRECTORY [RECORDS [SEGMENTS]]]   now the present folder, 1,000,000 and 10
//
// First a collection of small records (32-dimensional vectors) in sealed segments with nothing in the log, opened again
// with its files in the system's cache and without; then 100,000 records of 384 dimensions that are in the log alone.
#include "common.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

namespace {

struct Small {
    std::uint64_t id = 0;
    std::int32_t year = 0;
    std::array<float, 32> vector{};
};
using Smalls =
    kith::Schema<Small, kith::Key<&Small::id>, kith::Field<&Small::year>, kith::VectorField<&Small::vector, kith::L2>>;

constexpr int times = 11;

/// Puts the files of a folder out of the system's cache.
void forget(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) continue;
        const int file = ::open(entry.path().c_str(), O_RDONLY);
        if (file < 0) continue;
        static_cast<void>(::fdatasync(file));
        static_cast<void>(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
        ::close(file);
    }
}

template <class S>
double time_to_open(const std::filesystem::path& path, const kith::Options& options, std::uint64_t& replayed) {
    double taken = 0;
    std::size_t size = 0;
    const auto start = std::chrono::steady_clock::now();
    {
        const kith::Collection<S> collection(path, options);
        taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        size = collection.size();
        replayed = collection.stats().log_bytes;
    }
    if (size == 0) std::printf("nothing was found\n");
    return taken;
}

void print(const char* what, const std::vector<double>& taken) {
    std::printf("  %-44s %8.1f ms (%.1f to %.1f)\n", what, 1e3 * store::median(taken), 1e3 * store::quantile(taken, 0),
                1e3 * store::quantile(taken, 1));
}

void measure_sealed(const store::Folder& folder, std::size_t count, std::size_t segments) {
    const std::filesystem::path path = folder / "sealed";
    kith::Options options;
    options.durability = kith::Durability::on_checkpoint();
    options.maintenance = kith::Maintenance::on_call;
    options.segment_capacity = static_cast<kith::Slot>((count + segments - 1) / segments);
    options.index_threads = 2;
    std::size_t found = 0;
    {
        kith::Collection<Smalls> collection(path, options);
        kith::SplitMix64 random(1);
        std::vector<Small> batch(std::min<std::size_t>(count, 10'000));
        for (std::size_t first = 0; first < count; first += batch.size()) {
            for (std::size_t i = 0; i < batch.size(); ++i) {
                batch[i].id = first + i;
                batch[i].year = static_cast<std::int32_t>((first + i) % 100);
                for (float& element : batch[i].vector) element = static_cast<float>(random.uniform());
            }
            collection.insert(std::span(batch).first(std::min(batch.size(), count - first)));
        }
        collection.checkpoint();
        found = collection.stats().segments.size();
    }
    std::vector<double> warm, cold;
    std::uint64_t replayed = 0;
    for (int i = 0; i < times; ++i) {
        warm.push_back(time_to_open<Smalls>(path, options, replayed));
        forget(path);
        cold.push_back(time_to_open<Smalls>(path, options, replayed));
    }
    std::printf("%zu records in %zu segments, nothing in the log; median of %d\n", count, found, times);
    print("opened, files in the system's cache", warm);
    print("opened, files read from the disk", cold);
}

void measure_replay(const store::Folder& folder) {
    const std::filesystem::path path = folder / "logged";
    const std::vector<store::Document> records = store::documents({}, 100'000);
    kith::Options options;
    options.durability = kith::Durability::on_checkpoint();
    options.maintenance = kith::Maintenance::on_call;
    {
        kith::Collection<store::Documents> collection(path, options);
        for (std::size_t first = 0; first < records.size(); first += 1000) {
            collection.insert(std::span(records).subspan(first, 1000));
        }
    }
    std::vector<double> taken;
    std::uint64_t replayed = 0;
    for (int i = 0; i < 5; ++i) taken.push_back(time_to_open<store::Documents>(path, options, replayed));
    std::printf("%zu records of %zu dimensions in the log, %.0f MB; median of 5\n", records.size(), store::dim,
                static_cast<double>(replayed) / 1e6);
    print("opened", taken);
    std::printf("  %.0f MB/s\n", static_cast<double>(replayed) / 1e6 / store::median(taken));
}

}  // namespace

int main(int argc, char** argv) {
    return store::run_main("open", [&] {
        const store::Folder folder(argc > 1 ? argv[1] : ".");
        measure_sealed(folder, argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1'000'000,
                       argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 10);
        measure_replay(folder);
    });
}
