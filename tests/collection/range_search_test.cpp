// tests/collection/range_search_test.cpp — all records within a radius, beside a naive answer.
#include "article.hpp"

#include "kith/core/element.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/index/ivf.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith::field;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

using Found = std::vector<std::pair<std::string, float>>;

template <class Hits>
Found found(const Hits& hits) {
    Found all;
    for (const auto& hit : hits) all.emplace_back(hit.record.id, hit.distance);
    return all;
}

/// Articles in several segments, sealed and not, some replaced and some erased; `model` is what is left.
struct Library {
    TemporaryDirectory directory;
    Collection<Articles> collection{directory / "articles.kith", [] {
                                        kith::Options options;
                                        options.segment_capacity = 2500;
                                        options.maintenance = kith::Maintenance::on_call;
                                        return options;
                                    }()};
    std::map<std::string, Article> model;

    Library() {
        put(articles(0, 4000));
        collection.checkpoint();
        put(articles(4000, 700));
        put(articles(20, 400, 1));
        for (int number = 0; number < 4700; number += 7) {
            collection.erase(article(number).id);
            model.erase(article(number).id);
        }
    }

    void put(const std::vector<Article>& written) {
        collection.upsert(written);
        for (const Article& one : written) model[one.id] = one;
    }

    [[nodiscard]] auto ask(const Article& query) const {
        return collection.nearest<&Article::embedding>(query.embedding);
    }

    /// The keys within a radius, by looking at every record that `holds`.
    template <class Holds>
    [[nodiscard]] std::vector<std::string> naive(const Article& query, float radius, const Holds& holds) const {
        std::vector<std::string> keys;
        for (const auto& [id, one] : model) {
            const float distance = kith::L2::distance(query.embedding.data(), one.embedding.data(), 8);
            if (distance <= radius && holds(one)) keys.push_back(id);
        }
        return keys;
    }
};

/// One for all cases: it takes half a second to make, and nobody changes it.
const Library& the_library() {
    static const Library library;
    return library;
}

std::vector<std::string> sorted_keys(const Found& found) {
    std::vector<std::string> keys;
    for (const auto& [key, distance] : found) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    return keys;
}

constexpr auto everything = [](const Article&) { return true; };

}  // namespace

TEST_CASE("A radius finds every record within it and none beyond, however many there are") {
    const Library& library = the_library();
    for (int number = 10'000; number < 10'005; ++number) {
        const Article query = article(number);
        for (const float radius : {0.0F, 0.1F, 0.3F, 0.5F, 0.8F, 1.3F, 3.0F, 100.0F}) {
            CAPTURE(number, radius);
            const Found all = found(library.ask(query).within(radius).exact().run());
            CHECK(sorted_keys(all) == library.naive(query, radius, everything));
            CHECK(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.second < b.second; }));
        }
    }
}

TEST_CASE("Without exact() a radius finds the recall that is asked for, and nothing that is not there") {
    const Library& library = the_library();
    std::size_t expected = 0;
    std::size_t reached = 0;
    for (int number = 10'000; number < 10'020; ++number) {
        const Article query = article(number);
        for (const float radius : {0.2F, 0.5F, 0.9F}) {
            const Found exact = found(library.ask(query).within(radius).exact().run());
            const Found hits = found(library.ask(query).within(radius).run());
            expected += exact.size();
            reached += hits.size();
            CHECK(std::includes(exact.begin(), exact.end(), hits.begin(), hits.end(), [](auto& a, auto& b) {
                return std::tie(a.second, a.first) < std::tie(b.second, b.first);
            }));
            CHECK(found(library.ask(query).within(radius).recall(1).run()) == exact);
        }
    }
    REQUIRE(expected > 5000);
    CHECK(static_cast<double>(reached) >= 0.95 * static_cast<double>(expected));
}

TEST_CASE("A limit keeps the nearest of those within the radius") {
    const Library& library = the_library();
    const Article query = article(10'000);
    const Found all = found(library.ask(query).within(0.6).exact().run());
    REQUIRE(all.size() > 60);
    for (const std::size_t limit : {std::size_t{1}, std::size_t{10}, std::size_t{50}, all.size() + 1}) {
        const Found first(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(limit, all.size())));
        CHECK(found(library.ask(query).within(0.6).limit(limit).exact().run()) == first);
        CHECK(found(library.ask(query).limit(limit).within(0.6).exact().run()) == first);
    }
    CHECK(found(library.ask(query).within(0).run()).empty());
    CHECK(raised([&] { static_cast<void>(library.ask(query).within(1).limit(0).run()); }).says("limit is 0"));
}

TEST_CASE("A radius and a condition narrow each other, whether an index, a column or rows answer it") {
    const Library& library = the_library();
    const Article query = article(10'001);
    const auto check = [&](const auto& condition) {
        for (const float radius : {0.3F, 0.7F, 50.0F}) {
            const auto holds = [&](const Article& one) { return kith::evaluate(condition, one); };
            CHECK(sorted_keys(found(library.ask(query).where(condition).within(radius).exact().run())) ==
                  library.naive(query, radius, holds));
            const Found hits = found(library.ask(query).where(condition).within(radius).run());
            const auto expected = library.naive(query, radius, holds);
            CHECK(static_cast<double>(hits.size()) >= 0.9 * static_cast<double>(expected.size()));
        }
    };
    check(field<&Article::year> == 1990);
    check(field<&Article::year> >= 1983);
    check(field<&Article::price> < 500.0);
    check(kith::contains(field<&Article::tags>, "tag2"));
    check(kith::like(field<&Article::title>, "%version 1"));
}

TEST_CASE("Many queries with a radius find what each finds alone, also on a snapshot and by several threads") {
    const Library& library = the_library();
    const auto snapshot = library.collection.snapshot();
    std::vector<std::array<float, 8>> queries;
    for (int number = 10'000; number < 10'012; ++number) queries.push_back(article(number).embedding);
    queries.push_back(article(3).embedding);
    for (const unsigned threads : {1U, 3U}) {
        for (const double radius : {0.05, 0.5, 2.0}) {
            const auto many = snapshot.nearest_many<&Article::embedding>(queries).within(radius).threads(threads).run();
            REQUIRE(many.size() == queries.size());
            for (std::size_t at = 0; at < queries.size(); ++at) {
                CHECK(found(many[at]) ==
                      found(snapshot.nearest<&Article::embedding>(queries[at]).within(radius).run()));
            }
            const auto old = snapshot.nearest_many<&Article::embedding>(queries)
                                 .within(radius)
                                 .where("year < 2000")
                                 .limit(7)
                                 .threads(threads)
                                 .run();
            for (std::size_t at = 0; at < queries.size(); ++at) {
                CHECK(found(old[at]) == found(snapshot.nearest<&Article::embedding>(queries[at])
                                                  .where("year < 2000")
                                                  .limit(7)
                                                  .within(radius)
                                                  .run()));
            }
        }
    }
}

TEST_CASE("A radius that is none is refused and says what it would have to be") {
    const Library& library = the_library();
    const auto ask = [&](double radius) {
        return raised([&] { static_cast<void>(library.ask(article(1)).within(radius).run()); });
    };
    CHECK(ask(std::numeric_limits<double>::quiet_NaN()).code == Errc::invalid_argument);
    CHECK(ask(std::numeric_limits<double>::quiet_NaN()).says("field 'embedding' is NaN; it must be a number"));
    CHECK(ask(-0.5).code == Errc::invalid_argument);
    CHECK(ask(-0.5).says("within: the radius for field 'embedding' is -0.500000; no distance under l2 is below 0"));
    CHECK(library.ask(article(1)).within(std::numeric_limits<double>::infinity()).run().size() == library.model.size());
    const std::vector<float> query(8);
    CHECK(raised([&] {
              static_cast<void>(library.collection.nearest_many<&Article::embedding>(query).within(-1).run());
          }).code == Errc::invalid_argument);
}

namespace {

struct Product {
    std::int64_t id = 0;
    std::int32_t price = 0;  // indexed
    std::array<float, 4> features{};
    std::array<float, 12> place{};
    std::array<float, 12> direction{};
    std::array<float, 12> taste{};
    std::array<kith::Bits8, 4> hash{};
};

using Products =
    kith::Schema<Product, kith::Key<&Product::id>, kith::Field<&Product::price, kith::indexed>,
                 kith::VectorField<&Product::features, kith::InnerProduct>,
                 kith::VectorField<&Product::place, kith::L2, kith::Ivf<kith::IvfParams{.lists = 16}, kith::IvfRaw>>,
                 kith::VectorField<&Product::direction, kith::Cosine, kith::Hnsw<kith::HnswParams{}, kith::Sq8>>,
                 kith::VectorField<&Product::taste, kith::InnerProduct>,
                 kith::VectorField<&Product::hash, kith::Hamming, kith::Flat>>;

/// The same product for the same number; features are what the test below says.
Product product(std::int64_t id) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(id) + 31);
    Product made;
    made.id = id;
    made.price = static_cast<std::int32_t>(id % 100);
    made.features = {static_cast<float>(id) / 100, 1, 0, 0};
    for (auto* const vector : {&made.place, &made.direction, &made.taste}) {
        for (float& element : *vector) element = static_cast<float>(random.uniform() - 0.3);
    }
    for (kith::Bits8& byte : made.hash) byte = kith::Bits8{static_cast<std::uint8_t>(random.below(256))};
    return made;
}

using Numbers = std::vector<std::pair<std::int64_t, float>>;

/// Checks that radii cut where distances say, against all records in order; `radii` end with one that all are within.
template <auto Member, class Set>
void check_radii(const Collection<Products>& products, const Set& set, const std::vector<double>& radii) {
    const auto numbers = [](const auto& hits) {
        Numbers all;
        for (const auto& hit : hits) all.emplace_back(hit.record.id, hit.distance);
        return all;
    };
    std::size_t expected = 0;
    std::size_t reached = 0;
    for (std::int64_t number = 20'000; number < 20'004; ++number) {
        const auto ask = [&] {
            auto query = products.nearest<Member>(product(number).*Member);
            set(query);
            return query;
        };
        const Numbers order = numbers(ask().limit(products.size()).exact().run());
        REQUIRE(std::is_sorted(order.begin(), order.end(), [](auto& a, auto& b) { return a.second < b.second; }));
        for (const double radius : radii) {
            CAPTURE(number, radius);
            Numbers within = order;
            std::erase_if(within, [&](auto& one) { return one.second > static_cast<float>(radius); });
            CHECK(numbers(ask().within(radius).exact().run()) == within);
            const Numbers found = numbers(ask().within(radius).run());
            expected += within.size();
            reached += found.size();
            for (const auto& one : found) CHECK(std::count(within.begin(), within.end(), one) == 1);
            CHECK(std::is_sorted(found.begin(), found.end(), [](auto& a, auto& b) { return a.second < b.second; }));
            CHECK(numbers(ask().within(radius).limit(7).exact().run()) ==
                  Numbers(within.begin(),
                          within.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(7, within.size()))));
            if (radius == radii.back()) CHECK(within.size() == order.size());
        }
    }
    REQUIRE(expected > 1000);
    CHECK(static_cast<double>(reached) >= 0.95 * static_cast<double>(expected));
}

}  // namespace

TEST_CASE("Under every metric a radius is a distance, over segments that are sealed and one that is not") {
    const TemporaryDirectory directory;
    kith::Options options;
    options.segment_capacity = 1500;
    options.maintenance = kith::Maintenance::on_call;
    Collection<Products> products(directory / "products.kith", options);
    const auto put = [&](std::int64_t first, std::int64_t count) {
        std::vector<Product> made;
        for (std::int64_t id = first; id < first + count; ++id) made.push_back(product(id));
        products.insert(made);
    };
    put(0, 3000);
    products.checkpoint();
    put(3000, 1000);
    for (std::int64_t id = 0; id < 4000; id += 13) products.erase(id);
    products.link();
    const auto all = [](auto&) {};
    const auto cheap = [](auto& query) { query.where(field<&Product::price> < 30); };
    check_radii<&Product::place>(products, all, {0, 0.5, 0.9, 1.3, 100});
    check_radii<&Product::place>(products, cheap, {0, 0.5, 0.9, 1.3, 100});
    check_radii<&Product::direction>(products, all, {0, 0.1, 0.2, 0.4, 2});
    check_radii<&Product::direction>(products, cheap, {0, 0.1, 0.2, 0.4, 2});
    check_radii<&Product::taste>(products, all, {-2, -1, -0.5, 0, 100});
    check_radii<&Product::taste>(products, cheap, {-2, -1, -0.5, 0, 100});
    check_radii<&Product::hash>(products, all, {0, 5, 9, 32});
    check_radii<&Product::hash>(products, cheap, {0, 5, 9, 32});
}

TEST_CASE("Under InnerProduct a radius below 0 asks for products that are great enough") {
    Collection<Products> products(kith::in_memory);
    CHECK(products.nearest<&Product::features>(std::array<float, 4>{1, 0, 0, 0}).within(0).run().empty());
    for (std::int64_t id = 0; id < 300; ++id) products.insert(product(id));
    const auto hits = products.nearest<&Product::features>(std::array<float, 4>{1, 0, 0, 0}).within(-2.5).run();
    REQUIRE(hits.size() == 50);
    CHECK(hits.front().record.id == 299);
    CHECK(hits.back().record.id == 250);
    CHECK(hits.back().score == 2.5F);
}
