// tests/collection/collection_test.cpp — what a collection answers, in memory and in a directory alike.
#include "article.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <map>
#include <set>

using kith::Collection;
using kith::Errc;
using kith::field;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

/// Runs `test(open)` for a collection in memory and for one in a directory; `reopen` closes and opens the latter.
template <class Test>
void in_memory_and_on_disk(Test&& test) {
    SECTION("in memory") {
        Collection<Articles> collection(kith::in_memory);
        test(collection);
    }
    SECTION("in a directory") {
        const TemporaryDirectory directory;
        Collection<Articles> collection(directory / "articles.kith");
        test(collection);
    }
    SECTION("in a directory, sealed in between") {
        const TemporaryDirectory directory;
        Collection<Articles> collection(directory / "articles.kith");
        collection.insert(articles(1000, 50));
        collection.checkpoint();
        std::vector<std::string> keys;
        for (const Article& sealed : articles(1000, 50)) keys.push_back(sealed.id);
        REQUIRE(collection.erase(keys) == 50);
        test(collection);
    }
}

std::map<std::string, Article> contents(const Collection<Articles>& collection) {
    std::map<std::string, Article> records;
    for (const Article& record : collection.records()) REQUIRE(records.emplace(record.id, record).second);
    return records;
}

}  // namespace

TEST_CASE("A record comes back as it was written, bit for bit") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        const std::vector<Article> written = articles(0, 40);
        collection.insert(written);
        CHECK(collection.size() == 40);
        for (const Article& record : written) {
            CHECK(collection.contains(record.id));
            CHECK(collection.get(record.id) == record);
        }
        CHECK_FALSE(collection.contains("article-40"));
        CHECK_FALSE(collection.get("article-40").has_value());
    });
}

TEST_CASE("insert refuses a key that is present and writes nothing of the batch") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        collection.insert(article(3));
        const Raised refused = raised([&] { collection.insert(articles(0, 5, 1)); });
        CHECK(refused.code == Errc::already_exists);
        CHECK(refused.says("article-3"));
        CHECK(refused.says("nothing was written"));
        CHECK(collection.size() == 1);
        CHECK(collection.get("article-3") == article(3));
        collection.insert(articles(4, 2));
        CHECK(collection.size() == 3);
    });
}

TEST_CASE("upsert replaces the whole record and adds new ones") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        collection.insert(articles(0, 10));
        collection.upsert(articles(5, 10, 1));
        CHECK(collection.size() == 15);
        for (int number = 0; number < 15; ++number) {
            CHECK(collection.get("article-" + std::to_string(number)) == article(number, number < 5 ? 0 : 1));
        }
        CHECK(contents(collection).size() == 15);
    });
}

TEST_CASE("update changes the fields it names and no other") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        collection.insert(articles(0, 3));
        collection.update("article-1", kith::set<&Article::year>(2030), kith::set<&Article::price>(9.5));
        collection.update("article-2", [](Article& record) { record.embedding[0] = 77; });
        Article expected = article(1);
        expected.year = 2030;
        expected.price = 9.5;
        CHECK(collection.get("article-1") == expected);
        expected = article(2);
        expected.embedding[0] = 77;
        CHECK(collection.get("article-2") == expected);
        CHECK(collection.size() == 3);

        CHECK(raised([&] { collection.update("none", kith::set<&Article::year>(1)); }).code == Errc::not_found);
        CHECK(raised([&] { collection.update("article-1", kith::set<&Article::id>("article-9")); }).code ==
              Errc::invalid_argument);
        CHECK_THROWS_AS(collection.update("article-0", [](Article&) { throw std::runtime_error("no"); }),
                        std::runtime_error);
        CHECK(collection.get("article-0") == article(0));
        collection.upsert(article(0, 1));
        CHECK(collection.get("article-0") == article(0, 1));
    });
}

TEST_CASE("erase removes what is there, says so, and the key may be used again") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        collection.insert(articles(0, 5));
        CHECK(collection.erase("article-2"));
        CHECK_FALSE(collection.erase("article-2"));
        CHECK_FALSE(collection.erase("never"));
        CHECK(collection.size() == 4);
        CHECK_FALSE(collection.contains("article-2"));
        const std::vector<std::string> keys{"article-0", "article-2", "article-4"};
        CHECK(collection.erase(keys) == 2);
        const std::vector<std::string> twice{"article-1", "article-1"};
        CHECK(collection.erase(twice) == 1);
        collection.insert(article(1));
        CHECK(collection.size() == 2);
        collection.insert(article(2, 7));
        CHECK(collection.get("article-2") == article(2, 7));
    });
}

TEST_CASE("nearest finds what a scan of all records finds, nearest first, scored as squared distance") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        collection.insert(articles(0, 300));
        collection.upsert(articles(100, 50, 1));
        for (int number = 0; number < 300; number += 7) collection.erase("article-" + std::to_string(number));
        const auto records = contents(collection);
        const Article probe = article(12345);
        std::vector<std::pair<float, std::string>> expected;
        for (const auto& [id, record] : records) {
            expected.emplace_back(kith::L2::distance(probe.embedding.data(), record.embedding.data(), 8), id);
        }
        std::sort(expected.begin(), expected.end());

        const auto exact = collection.nearest<&Article::embedding>(probe.embedding).limit(20).exact().run();
        const auto hits = collection.nearest<&Article::embedding>(probe.embedding).limit(20).ef_search(300).run();
        REQUIRE(exact.size() == 20);
        REQUIRE(hits.size() == 20);
        for (std::size_t i = 0; i < 20; ++i) {
            CHECK(exact[i].record.id == expected[i].second);
            CHECK(exact[i].record == records.at(exact[i].record.id));
            CHECK(exact[i].score == Approx(expected[i].first));
            CHECK(hits[i].record.id == exact[i].record.id);
        }
    });
}

TEST_CASE("A condition returns as many records as exist, however rare they are") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        collection.insert(articles(0, 1000));
        const Article probe = article(54321);
        const auto ask = [&](auto condition, std::size_t limit) {
            return collection.nearest<&Article::embedding>(probe.embedding).where(condition).limit(limit).run();
        };
        const auto one = ask(field<&Article::title> == "title 777, version 0", 10);
        REQUIRE(one.size() == 1);
        CHECK(one[0].record == article(777));
        CHECK(ask(field<&Article::year> == 1985, 10).size() == 10);
        CHECK(ask(field<&Article::year> == 1985, 1000).size() == 20);
        CHECK(ask(field<&Article::year> > 3000, 10).empty());
        const auto expected = [&](auto matches) {
            const std::vector<Article> all = articles(0, 1000);
            return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), matches));
        };
        CHECK(ask(field<&Article::price>.is_null() && field<&Article::year> >= 2000, 1000).size() ==
              expected([](const Article& record) { return !record.price.has_value() && record.year >= 2000; }));
    });
}

TEST_CASE("A limit beyond the count returns every record, and a limit of zero is refused") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        const Article probe = article(1);
        CHECK(collection.nearest<&Article::embedding>(probe.embedding).limit(5).run().empty());
        collection.insert(articles(0, 12));
        CHECK(collection.nearest<&Article::embedding>(probe.embedding).limit(1000000).run().size() == 12);
        CHECK(collection.nearest<&Article::embedding>(probe.embedding).limit(13).exact().run().size() == 12);
        for (const int bits : {32, 62, 63}) {
            const std::size_t huge = std::size_t{1} << bits;
            auto query = collection.nearest<&Article::embedding>(probe.embedding).limit(huge).ef_search(huge);
            CHECK(query.run().size() == 12);
            CHECK(query.where(field<&Article::year> >= 1981).run().size() == 11);
        }
        CHECK(raised([&] { (void)collection.nearest<&Article::embedding>(probe.embedding).limit(0).run(); }).code ==
              Errc::invalid_argument);
        CHECK(raised([&] { (void)collection.nearest<&Article::embedding>(probe.embedding).ef_search(0).run(); }).code ==
              Errc::invalid_argument);
        const auto ask = [&] { return collection.nearest<&Article::embedding>(probe.embedding); };
        CHECK(ask().recall(0.9).run().size() == 10);
        CHECK(ask().recall(1).run().size() == 10);
        for (const double recall : {0.0, -0.5, 1.01, std::numeric_limits<double>::quiet_NaN()}) {
            const auto refused = raised([&] { (void)ask().recall(recall).run(); });
            CHECK(refused.code == Errc::invalid_argument);
            CHECK(refused.text.find("above 0 and at most 1") != std::string::npos);
        }
        CHECK(raised([&] { (void)ask().recall(0.9).ef_search(50).run(); }).code == Errc::invalid_argument);
    });
}

TEST_CASE("A range over the records shows one moment, whatever is written meanwhile") {
    in_memory_and_on_disk([](Collection<Articles>& collection) {
        collection.insert(articles(0, 30));
        const auto range = collection.records();
        std::set<std::string> seen;
        for (const Article& record : range) {
            if (seen.empty()) {
                collection.erase("article-29");
                collection.upsert(article(28, 1));
                collection.insert(article(99));
                collection.checkpoint();
            }
            CHECK(record == article(std::stoi(record.id.substr(8))));
            seen.insert(record.id);
        }
        CHECK(seen.size() == 30);
        CHECK(contents(collection).size() == 30);
        CHECK(collection.contains("article-99"));
    });
}

TEST_CASE("Records that fill a segment go on in the next, and searches see them all") {
    const TemporaryDirectory directory;
    kith::Options options;
    options.segment_capacity = 64;
    Collection<Articles> collection(directory / "articles.kith", options);
    collection.insert(articles(0, 500));
    collection.upsert(articles(100, 100, 1));
    CHECK(collection.size() == 500);
    const auto all = [&] { return collection.nearest<&Article::embedding>(article(1).embedding).limit(600).run(); };
    CHECK(all().size() == 500);
    collection.checkpoint();
    CHECK(all().size() == 500);
    collection.upsert(articles(0, 500, 2));
    CHECK(all().size() == 500);
    for (const auto& hit : all()) CHECK(hit.record == article(std::stoi(hit.record.id.substr(8)), 2));
}

namespace {

struct Reading {
    std::int64_t sensor = 0;
    float value = 0;
    std::array<float, 3> position{};
    std::array<float, 5> spectrum{};
};
using Readings =
    kith::Schema<Reading, kith::Key<&Reading::sensor>, kith::VectorField<&Reading::position, kith::L2, kith::Flat>,
                 kith::VectorField<&Reading::spectrum, kith::Cosine>>;

struct Note {
    std::uint32_t number = 0;
    std::string text;
};
using Notes = kith::Schema<Note, kith::Key<&Note::number>>;

}  // namespace

TEST_CASE("Integer keys, two vector fields and another index each keep their own") {
    Collection<Readings> collection(kith::in_memory);
    for (int i = -20; i < 20; ++i) {
        const auto x = static_cast<float>(i);
        collection.insert(Reading{i, x, {x, 0, 0}, {1, x, 0, 0, 1}});
    }
    CHECK(collection.get(-7)->value == -7);
    const std::array<float, 3> near_five{5.2F, 0, 0};
    CHECK(collection.nearest<&Reading::position>(near_five).limit(1).run().at(0).record.sensor == 5);
    const std::array<float, 5> direction{2, 6, 0, 0, 2};
    const auto hit = collection.nearest<&Reading::spectrum>(direction).limit(1).run().at(0);
    CHECK(hit.record.sensor == 3);
    CHECK(hit.score == Approx(1.0F).margin(1e-5));
    CHECK(hit.record.spectrum == std::array<float, 5>{1, 3, 0, 0, 1});
    const Raised refused = raised([&] { collection.insert(Reading{-7, 0, {}, {1, 0, 0, 0, 0}}); });
    CHECK(refused.code == Errc::already_exists);
    CHECK(refused.says("-7"));
}

TEST_CASE("A schema without vectors is a durable map") {
    const TemporaryDirectory directory;
    {
        Collection<Notes> notes(directory / "notes.kith");
        notes.insert(Note{7, "seven"});
        notes.checkpoint();
        notes.insert(Note{8, "eight"});
    }
    const Collection<Notes> notes(directory / "notes.kith");
    CHECK(notes.get(7)->text == "seven");
    CHECK(notes.get(8)->text == "eight");
    CHECK(notes.size() == 2);
}
