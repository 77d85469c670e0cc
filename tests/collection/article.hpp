// tests/collection/article.hpp — the record most tests of the collection write.
#pragma once

#include "kith/collection/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/l2.hpp"

#include "support/temporary_directory.hpp"

#include <array>
#include <cstdint>
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

}  // namespace kith_test
