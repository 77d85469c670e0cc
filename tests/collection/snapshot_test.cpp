// tests/collection/snapshot_test.cpp — a snapshot shows its moment, whatever is written, sealed and merged since.
#include "article.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"

#include <optional>
#include <set>

using kith::Collection;
using kith::Errc;
using kith::Maintenance;
using kith::Options;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::TemporaryDirectory;

namespace {

/// Articles 0 to 99 as they were first written, 100 to 199 in version 1, and no other.
void expect_first_moment(const kith::Snapshot<Articles>& snapshot) {
    REQUIRE(snapshot.size() == 200);
    for (int number = 0; number < 200; ++number) {
        REQUIRE(snapshot.get("article-" + std::to_string(number)) == article(number, number < 100 ? 0 : 1));
    }
    REQUIRE_FALSE(snapshot.contains("article-200"));
    REQUIRE_FALSE(snapshot.get("article-250").has_value());
    std::set<std::string> seen;
    for (const Article& one : snapshot.records()) seen.insert(one.id);
    REQUIRE(seen.size() == 200);
    for (const int number : {3, 77, 150}) {
        const Article asked = article(number, number < 100 ? 0 : 1);
        const auto hits = snapshot.nearest<&Article::embedding>(asked.embedding).limit(1).run();
        REQUIRE(hits.size() == 1);
        REQUIRE(hits[0].record == asked);
    }
}

}  // namespace

TEST_CASE("A snapshot outlives changes, checkpoints and merges of what it shows") {
    const TemporaryDirectory directory;
    Options options;
    options.maintenance = Maintenance::on_call;
    std::optional<Collection<Articles>> collection(std::in_place, directory / "articles.kith", options);
    collection->insert(articles(0, 150));
    collection->checkpoint();
    collection->upsert(articles(100, 50, 1));
    collection->insert(articles(150, 50, 1));
    const kith::Snapshot<Articles> snapshot = collection->snapshot();
    expect_first_moment(snapshot);

    SECTION("changed and erased in memory") {
        collection->upsert(articles(0, 60, 2));
        for (int number = 100; number < 180; ++number) collection->erase("article-" + std::to_string(number));
        collection->insert(articles(200, 30, 2));
        expect_first_moment(snapshot);
        CHECK(collection->size() == 150);
        CHECK(collection->get("article-5") == article(5, 2));
    }
    SECTION("sealed") {
        collection->checkpoint();
        expect_first_moment(snapshot);
        collection->upsert(articles(0, 200, 3));
        collection->checkpoint();
        expect_first_moment(snapshot);
        CHECK(collection->get("article-199") == article(199, 3));
    }
    SECTION("merged, and merged again") {
        collection->upsert(articles(0, 40, 2));
        collection->compact();
        expect_first_moment(snapshot);
        CHECK(collection->stats().retired_bytes > 0);
        collection->upsert(articles(30, 170, 3));
        collection->compact();
        expect_first_moment(snapshot);
        CHECK(collection->get("article-10") == article(10, 2));
        CHECK(collection->get("article-35") == article(35, 3));
    }
}

TEST_CASE("What a snapshot held is given back when it is gone") {
    const TemporaryDirectory directory;
    Options options;
    options.maintenance = Maintenance::on_call;
    Collection<Articles> collection(directory / "articles.kith", options);
    collection.insert(articles(0, 300));
    collection.checkpoint();
    {
        const kith::Snapshot<Articles> snapshot = collection.snapshot();
        collection.upsert(articles(0, 250, 1));
        collection.compact();
        CHECK(collection.stats().retired_bytes > 0);
        CHECK(collection.stats().deleted == 0);
    }
    collection.compact();
    CHECK(collection.stats().retired_bytes == 0);
    CHECK(collection.stats().segments.size() == 1);
    collection.close();
    const Collection<Articles> again(directory / "articles.kith");
    CHECK(again.size() == 300);
    CHECK(again.recovery().removed_files.empty());
}

TEST_CASE("A snapshot of a closed collection says so") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith");
    collection.insert(articles(0, 3));
    const kith::Snapshot<Articles> snapshot = collection.snapshot();
    collection.close();
    CHECK(kith_test::raised([&] { static_cast<void>(snapshot.get("article-1")); }).code == Errc::closed);
    CHECK(kith_test::raised([&] { static_cast<void>(collection.snapshot()); }).code == Errc::closed);
}

TEST_CASE("A collection in memory has snapshots too") {
    Collection<Articles> collection(kith::in_memory);
    collection.insert(articles(0, 150));
    collection.upsert(articles(100, 50, 1));
    collection.insert(articles(150, 50, 1));
    const kith::Snapshot<Articles> snapshot = collection.snapshot();
    collection.upsert(articles(0, 200, 5));
    collection.erase("article-7");
    expect_first_moment(snapshot);
}
