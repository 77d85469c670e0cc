// tests/collection/nearest_many_test.cpp — many questions at once beside the same questions one by one.
#include "article.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"

#include <array>
#include <limits>
#include <span>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith::field;
using kith_test::article;
using kith_test::Article;
using kith_test::articles;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

using Graphed = kith::Schema<Article, kith::Key<&Article::id>, kith::VectorField<&Article::embedding, kith::L2>>;
using Scanned =
    kith::Schema<Article, kith::Key<&Article::id>, kith::VectorField<&Article::embedding, kith::Cosine, kith::Flat>>;

std::vector<std::array<float, 8>> probes(int count) {
    std::vector<std::array<float, 8>> made;
    for (int number = 0; number < count; ++number) made.push_back(article(50000 + number).embedding);
    return made;
}

bool same(const std::vector<kith::Hit<Article>>& a, const std::vector<kith::Hit<Article>>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
        return left.record == right.record && left.distance == right.distance && left.score == right.score;
    });
}

/// How many of `queries` get another answer together than alone, with the same settings.
template <class S, class Set>
std::size_t different(const Collection<S>& collection, const std::vector<std::array<float, 8>>& queries,
                      const Set& set) {
    std::size_t wrong = 0;
    for (const unsigned threads : {1U, 3U}) {
        auto many = collection.template nearest_many<&Article::embedding>(queries);
        set(many);
        const auto answers = many.threads(threads).run();
        REQUIRE(answers.size() == queries.size());
        for (std::size_t at = 0; at < queries.size(); ++at) {
            auto one = collection.template nearest<&Article::embedding>(queries[at]);
            set(one);
            wrong += !same(answers[at], one.run());
        }
    }
    return wrong;
}

}  // namespace

TEMPLATE_TEST_CASE("Many are answered as each alone, over sealed segments and those in memory", "[threads]", Graphed,
                   Scanned) {
    const TemporaryDirectory directory;
    kith::Options options;
    options.segment_capacity = 700;
    Collection<TestType> collection(directory / "articles.kith", options);
    collection.insert(articles(0, 1000));
    collection.checkpoint();
    collection.insert(articles(1000, 1000));
    collection.upsert(articles(400, 50, 1));
    for (int number = 0; number < 2000; number += 7) collection.erase("article-" + std::to_string(number));
    collection.link();

    const auto queries = probes(20);
    CHECK(different(collection, queries, [](auto&) {}) == 0);
    CHECK(different(collection, queries, [](auto& query) { query.limit(25).ef_search(60); }) == 0);
    CHECK(different(collection, queries, [](auto& query) { query.limit(3).recall(0.8); }) == 0);
    CHECK(different(collection, queries, [](auto& query) { query.exact(); }) == 0);
    CHECK(different(collection, queries, [](auto& query) { query.limit(5000).exact(); }) == 0);
    CHECK(different(collection, queries, [](auto& query) { query.where(field<&Article::year> >= 2000); }) == 0);
    CHECK(different(collection, queries, [](auto& query) {
              query.where(field<&Article::year> >= 2000).where(field<&Article::year> < 2003).exact();
          }) == 0);
    CHECK(different(collection, queries, [](auto& query) { query.where(field<&Article::year> > 3000).exact(); }) == 0);
    CHECK(different(collection, probes(2), [](auto& query) { query.exact(); }) == 0);  // fewer than threads
}

TEST_CASE("Many queries come as vectors or as floats one after the other") {
    Collection<Graphed> collection(kith::in_memory);
    CHECK(collection.nearest_many<&Article::embedding>(probes(2)).run().at(1).empty());
    collection.insert(articles(0, 100));
    const auto queries = probes(3);
    std::vector<float> flat;
    std::vector<std::vector<float>> each;
    for (const auto& query : queries) {
        flat.insert(flat.end(), query.begin(), query.end());
        each.emplace_back(query.begin(), query.end());
    }
    const auto answers = collection.nearest_many<&Article::embedding>(std::span(queries)).run();
    REQUIRE(answers.size() == 3);
    for (const auto& others : {collection.nearest_many<&Article::embedding>(flat).run(),
                               collection.nearest_many<&Article::embedding>(std::span<const float>(flat)).run(),
                               collection.nearest_many<&Article::embedding>(each).run()}) {
        REQUIRE(others.size() == 3);
        for (std::size_t at = 0; at < 3; ++at) CHECK(same(others[at], answers[at]));
    }
    CHECK(collection.nearest_many<&Article::embedding>(std::vector<float>()).run().empty());
}

TEST_CASE("What is wrong with one of many queries is said by its number") {
    Collection<Graphed> collection(kith::in_memory);
    const auto ask = [&](const auto& queries) { return collection.nearest_many<&Article::embedding>(queries); };
    const auto refused = [](const auto& act, std::string_view words) {
        const auto said = raised(act);
        INFO(said.text);
        CHECK(said.code == Errc::invalid_argument);
        CHECK(said.says(words));
    };
    auto queries = probes(3);
    queries[2][5] = std::numeric_limits<float>::infinity();
    refused([&] { (void)ask(queries).run(); }, "query 2 for field 'embedding': ");
    refused([&] { (void)ask(std::vector<float>(17)).run(); }, "17 elements are no number of vectors of 8");
    refused([&] { (void)ask(std::vector<std::vector<float>>{std::vector<float>(8), std::vector<float>(7)}).run(); },
            "query 1 for field 'embedding': has 7 elements; expected 8");
    refused([&] { (void)ask(probes(1)).threads(0).run(); }, "threads is 0");
    refused([&] { (void)ask(probes(1)).threads(5000).run(); }, "threads is 5000");
    refused([&] { (void)ask(probes(1)).limit(0).run(); }, "limit is 0");
    refused([&] { (void)ask(probes(1)).recall(2).run(); }, "recall is 2");
    collection.close();
    CHECK(raised([&] { (void)ask(probes(1)).run(); }).code == Errc::closed);
}
