// examples/quickstart.cpp — the program of the README, whole.
#include <kith/kith.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <string>

struct Article {
    std::string id;
    std::string title;
    std::int32_t year = 0;
    std::array<float, 4> embedding{};
};

using Articles = kith::Schema<Article, kith::Key<&Article::id>, kith::VectorField<&Article::embedding, kith::Cosine>>;

int main() {
    kith::Collection<Articles> articles("articles.kith");
    articles.upsert({"a1", "Owls at night", 2019, {0.1F, 0.9F, 0.0F, 0.2F}});
    articles.upsert({"a2", "Nearest neighbours", 2023, {0.8F, 0.1F, 0.3F, 0.0F}});

    const std::array<float, 4> query{0.7F, 0.2F, 0.3F, 0.1F};
    const auto hits =
        articles.nearest<&Article::embedding>(query).where(kith::field<&Article::year> >= 2020).limit(10).run();
    for (const auto& hit : hits) std::cout << hit.score << ' ' << hit.record.title << '\n';
    return hits.size() == 1 && hits[0].record.id == "a2" ? 0 : 1;
}
