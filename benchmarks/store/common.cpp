// benchmarks/store/common.cpp — documents, folders, clocks.
#include "common.hpp"

#include "../ann/dataset.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>

namespace store {
namespace {

void fill_around_centres(std::vector<Document>& records) {
    constexpr std::size_t centre_count = 500;
    kith::SplitMix64 random(2);
    std::vector<std::array<float, dim>> centres(centre_count);
    for (auto& centre : centres) {
        for (float& element : centre) element = static_cast<float>(random.uniform()) - 0.5F;
    }
    for (Document& record : records) {
        record.vector = centres[random.below(centre_count)];
        for (float& element : record.vector) element += static_cast<float>(random.uniform()) / 2;
    }
}

}  // namespace

std::vector<Document> documents(const std::filesystem::path& data, std::size_t count) {
    std::vector<Document> records(count);
    if (data.empty()) {
        fill_around_centres(records);
    } else {
        const ann::Dataset set = ann::load(data, "text", count, 1, 1);
        if (set.base.dim != dim || set.base.rows() < count) {
            throw std::runtime_error(data.string() + ": text has " + std::to_string(set.base.rows()) +
                                     " vectors of dimension " + std::to_string(set.base.dim));
        }
        for (std::size_t i = 0; i < count; ++i) std::copy_n(set.base.row(i), dim, records[i].vector.begin());
    }
    for (std::size_t i = 0; i < count; ++i) {
        records[i].id = "document-" + std::to_string(i);
        records[i].stamp = static_cast<std::int64_t>(1'700'000'000 + i);
        records[i].price = static_cast<double>(i % 1000) / 10;
        records[i].kind = "kind-" + std::to_string(i % 20);
    }
    return records;
}

std::string source_of(const std::filesystem::path& data) {
    return data.empty() ? "vectors around 500 centres" : "the set text";
}

Folder::Folder(const std::filesystem::path& inside) : path_(inside / ("kith-store-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

double seconds(const std::function<void()>& act) {
    const auto start = std::chrono::steady_clock::now();
    act();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double quantile(std::vector<double> values, double part) {
    std::sort(values.begin(), values.end());
    const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size()));
    return values[std::min(at, values.size() - 1)];
}

double synced_write(const Folder& folder, std::size_t bytes, int times) {
    const std::string path = (folder / "probe").string();
    const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (file < 0) throw std::runtime_error("cannot write " + path);
    const std::string content(bytes, 'x');
    std::vector<double> taken;
    bool written = true;
    for (int i = 0; i < times; ++i) {
        taken.push_back(seconds([&] {
            written = written && ::write(file, content.data(), bytes) == static_cast<ssize_t>(bytes) &&
                      ::fdatasync(file) == 0;
        }));
    }
    ::close(file);
    std::filesystem::remove(path);
    if (!written) throw std::runtime_error("cannot write " + path);
    return median(taken);
}

int run_main(const char* name, const std::function<void()>& act) {
    try {
        act();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", name, error.what());
        return 1;
    }
}

}  // namespace store
