// tests/collection/article.hpp — the record most tests of the collection write, and a place to keep it.
#pragma once

#include "kith/collection/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/l2.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kith_test {

struct Article {
    std::string id;
    std::string title;
    std::int32_t year = 0;
    std::optional<double> price;
    std::vector<std::string> tags;
    std::array<float, 8> embedding{};

    friend bool operator==(const Article&, const Article&) = default;
};

using Articles = kith::Schema<Article, kith::Key<&Article::id>, kith::Field<&Article::year, kith::indexed>,
                              kith::VectorField<&Article::embedding, kith::L2>>;

/// The same article for the same number and version, unlike any other.
inline Article article(int number, int version = 0) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(number) * 1000 + static_cast<std::uint64_t>(version));
    Article made;
    made.id = "article-" + std::to_string(number);
    made.title = "title " + std::to_string(number) + ", version " + std::to_string(version);
    made.year = 1980 + number % 50;
    if (number % 3 == 0) made.price = number / 2.0;
    for (int tag = 0; tag < number % 4; ++tag) made.tags.push_back("tag" + std::to_string(tag));
    for (float& element : made.embedding) element = static_cast<float>(random.uniform());
    return made;
}

inline std::vector<Article> articles(int first, int count, int version = 0) {
    std::vector<Article> made;
    for (int number = first; number < first + count; ++number) made.push_back(article(number, version));
    return made;
}

/// A new directory, removed with everything in it.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        static std::atomic<int> count{0};
        path_ = folder() / ("kith-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
        std::filesystem::create_directories(path_);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    /// In memory where the system has such a folder and the environment names no other: syncs cost nothing there.
    static std::filesystem::path folder() {
        const std::filesystem::path in_memory = "/dev/shm";
        const bool named = std::getenv("TMPDIR") != nullptr;
        return !named && std::filesystem::is_directory(in_memory) ? in_memory : std::filesystem::temp_directory_path();
    }

    std::filesystem::path path_;
};

}  // namespace kith_test
