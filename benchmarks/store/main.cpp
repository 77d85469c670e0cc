// benchmarks/store/main.cpp — how long until small records are safe.
//
//   store [DIRECTORY]     a folder on the disk to be measured; default: the present one
//
// Each case makes a new collection, writes, and prints the median of several runs beside what the disk itself takes
// for one synced write in the same run.
#include "common.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace {

struct Small {
    std::uint64_t id = 0;
    std::string name;
    std::int32_t number = 0;
    std::array<float, 16> vector{};
};
using Smalls = kith::Schema<Small, kith::Key<&Small::id>, kith::VectorField<&Small::vector, kith::L2>>;

std::vector<Small> smalls(std::size_t count) {
    kith::SplitMix64 random(1);
    std::vector<Small> records(count);
    for (std::size_t i = 0; i < count; ++i) {
        records[i] = {i, "record " + std::to_string(i), static_cast<std::int32_t>(i % 100), {}};
        for (float& element : records[i].vector) element = static_cast<float>(random.uniform());
    }
    return records;
}

/// The median time that `write` takes on a new collection.
template <class S>
double timed(const store::Folder& folder, kith::Durability durability,
             const std::function<void(kith::Collection<S>&)>& write) {
    constexpr int runs = 5;
    std::vector<double> times;
    for (int run = 0; run < runs; ++run) {
        kith::Options options;
        options.durability = durability;
        const std::filesystem::path path = folder / "run";
        {
            kith::Collection<S> collection(path, options);
            times.push_back(store::seconds([&] { write(collection); }));
        }
        std::filesystem::remove_all(path);
    }
    return store::median(times);
}

void print(const char* name, std::size_t records, double time) {
    std::printf("%-58s %9.3f s %12.0f records/s\n", name, time, static_cast<double>(records) / time);
}

void run(const std::filesystem::path& directory) {
    using kith::Durability;
    const std::vector<Small> small = smalls(10000);
    const store::Folder folder(directory);
    std::printf("one synced 4 KiB write on this disk: %.2f ms\n", store::synced_write(folder, 4096, 21) * 1e3);
    print("10,000 small records, one batch, each_commit", small.size(),
          timed<Smalls>(folder, Durability::each_commit(), [&](auto& collection) { collection.insert(small); }));
    print("10,000 small records, one by one, on_checkpoint", small.size(),
          timed<Smalls>(folder, Durability::on_checkpoint(), [&](auto& collection) {
              for (const Small& record : small) collection.insert(record);
          }));
    print("500 small records, one by one, each_commit", 500,
          timed<Smalls>(folder, Durability::each_commit(), [&](auto& collection) {
              for (std::size_t i = 0; i < 500; ++i) collection.insert(small[i]);
          }));
}

}  // namespace

int main(int argc, char** argv) {
    return store::run_main("store", [&] { run(argc > 1 ? argv[1] : "."); });
}
