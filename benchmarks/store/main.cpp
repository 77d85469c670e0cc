// benchmarks/store/main.cpp — how long until written records are safe, for small records and for vectors.
//
//   store [DIRECTORY]     a folder on the disk to be measured; default: the present one
//
// Each case makes a new collection, writes, and prints the median of several runs beside what the disk itself takes
// for one synced write in the same run.
#include <kith/kith.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
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

struct Document {
    std::string id;
    std::int64_t stamp = 0;
    double price = 0;
    std::array<float, 384> vector{};
};
using Documents = kith::Schema<Document, kith::Key<&Document::id>, kith::VectorField<&Document::vector, kith::L2>>;

std::vector<Small> smalls(std::size_t count) {
    kith::SplitMix64 random(1);
    std::vector<Small> records(count);
    for (std::size_t i = 0; i < count; ++i) {
        records[i] = {i, "record " + std::to_string(i), static_cast<std::int32_t>(i % 100), {}};
        for (float& element : records[i].vector) element = static_cast<float>(random.uniform());
    }
    return records;
}

std::vector<Document> documents(std::size_t count) {
    kith::SplitMix64 random(2);
    std::vector<Document> records(count);
    for (std::size_t i = 0; i < count; ++i) {
        records[i].id = "document-" + std::to_string(i);
        records[i].stamp = static_cast<std::int64_t>(i);
        for (float& element : records[i].vector) element = static_cast<float>(random.uniform());
    }
    return records;
}

double seconds(const std::function<void()>& act) {
    const auto start = std::chrono::steady_clock::now();
    act();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// What one write of 4 KiB and its sync take.
double synced_write(const std::filesystem::path& folder) {
    const std::string path = (folder / "probe").string();
    const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (file < 0) throw std::runtime_error("cannot write in " + folder.string());
    const std::string bytes(4096, 'x');
    std::vector<double> times;
    for (int i = 0; i < 21; ++i) {
        times.push_back(seconds([&] {
            if (::write(file, bytes.data(), bytes.size()) < 0 || ::fdatasync(file) != 0) std::abort();
        }));
    }
    ::close(file);
    std::filesystem::remove(path);
    return median(times);
}

/// The median time that `write` takes on a new collection.
template <class S>
double timed(const std::filesystem::path& folder, kith::Durability durability,
             const std::function<void(kith::Collection<S>&)>& write) {
    constexpr int runs = 5;
    std::vector<double> times;
    for (int run = 0; run < runs; ++run) {
        const auto path = folder / ("store-" + std::to_string(::getpid()) + "-" + std::to_string(run));
        std::filesystem::remove_all(path);
        {
            kith::Options options;
            options.durability = durability;
            kith::Collection<S> collection(path, options);
            times.push_back(seconds([&] { write(collection); }));
        }
        std::filesystem::remove_all(path);
    }
    return median(times);
}

void print(const char* name, std::size_t records, double time) {
    std::printf("%-58s %9.3f s %12.0f records/s\n", name, time, static_cast<double>(records) / time);
}

void run(const std::filesystem::path& folder) {
    using kith::Durability;
    const std::vector<Small> small = smalls(10000);
    const std::vector<Document> large = documents(20000);
    std::printf("one synced 4 KiB write on this disk: %.2f ms\n", synced_write(folder) * 1e3);
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
    print("20,000 records of 384 dimensions, batches of 1,000, each_commit", large.size(),
          timed<Documents>(folder, Durability::each_commit(), [&](auto& collection) {
              for (std::size_t first = 0; first < large.size(); first += 1000) {
                  collection.insert(std::span(large).subspan(first, 1000));
              }
          }));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(argc > 1 ? argv[1] : ".");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "store: %s\n", error.what());
        return 1;
    }
    return 0;
}
