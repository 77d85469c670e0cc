// tests/collection/memory_merge_test.cpp — a collection in memory gives back what replaced and erased records took up.
#include "article.hpp"
#include "settings.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

using kith::Collection;
using kith::CollectionStats;
using kith::Errc;
using kith::LongCall;
using kith::Options;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::await;
using kith_test::on_call;
using kith_test::raised;

namespace {

void expect(const Collection<Articles>& collection, const std::map<int, int>& versions) {
    REQUIRE(collection.size() == versions.size());
    for (const auto& [number, version] : versions) {
        REQUIRE(collection.get("article-" + std::to_string(number)) == article(number, version));
        const auto asked = article(number, version).embedding;
        const auto hits = collection.nearest<&Article::embedding>(asked).limit(1).exact().run();
        REQUIRE(hits.size() == 1);
        REQUIRE(hits[0].record == article(number, version));
    }
}

}  // namespace

TEST_CASE("A collection in memory whose records are all replaced ten times stays as large as two of it") {
    constexpr int count = 3000;
    Collection<Articles> collection(kith::in_memory);
    collection.insert(articles(0, count));
    const std::uint64_t once = collection.stats().memory_bytes;
    std::map<int, int> versions;
    for (int round = 1; round <= 10; ++round) {
        collection.upsert(articles(0, count, round));
        await([&] {
            const CollectionStats stats = collection.stats();
            return stats.deleted <= count / 2 && stats.memory_bytes <= 2 * once;
        });
    }
    CHECK(collection.stats().trouble.empty());
    CHECK(collection.stats().segments.size() <= 4);
    for (int number = 0; number < count; ++number) versions[number] = 10;
    expect(collection, versions);
}

TEST_CASE("compact() of a collection in memory leaves one segment without a dead record, as if it were new") {
    Options options = on_call();
    options.segment_capacity = 500;
    Collection<Articles> collection(kith::in_memory, options);
    std::map<int, int> versions;
    for (int round = 0; round < 6; ++round) {
        collection.upsert(articles(round * 40, 200, round));
        for (int number = round * 40; number < round * 40 + 200; ++number) versions[number] = round;
    }
    for (int number = 0; number < 60; number += 2) {
        collection.erase("article-" + std::to_string(number));
        versions.erase(number);
    }
    const auto before = collection.snapshot();
    CHECK(collection.stats().segments.size() == 3);
    collection.compact();
    CollectionStats stats = collection.stats();
    REQUIRE(stats.segments.size() == 1);
    CHECK(stats.deleted == 0);
    CHECK(stats.segments[0].linked == versions.size());
    expect(collection, versions);

    Collection<Articles> fresh(kith::in_memory, options);
    for (const auto& [number, version] : versions) fresh.insert(article(number, version));
    CHECK(stats.memory_bytes == fresh.stats().memory_bytes);

    collection.compact();  // and then there is nothing to do
    CHECK(collection.stats().segments[0].id == stats.segments[0].id);

    collection.upsert(articles(0, 30, 9));
    for (int number = 0; number < 30; ++number) versions[number] = 9;
    collection.erase("article-100");
    versions.erase(100);
    expect(collection, versions);
    collection.compact();
    expect(collection, versions);
    CHECK(collection.stats().deleted == 0);

    // Who held the records as they were still sees them.
    CHECK(before.size() == 400 - 30);
    CHECK(before.get("article-2") == std::nullopt);
    CHECK(before.get("article-3") == article(3));
    CHECK(before.get("article-100") == article(100, 2));
}

TEST_CASE("When every record is erased, compact() leaves nothing in memory") {
    Collection<Articles> collection(kith::in_memory, on_call());
    collection.insert(articles(0, 50));
    for (int number = 0; number < 50; ++number) collection.erase("article-" + std::to_string(number));
    CHECK(collection.stats().memory_bytes > 0);
    collection.compact();
    CHECK(collection.stats().segments.empty());
    CHECK(collection.stats().memory_bytes == 0);
    CHECK(collection.nearest<&Article::embedding>(article(1).embedding).run().empty());
    collection.insert(articles(0, 5, 1));
    CHECK(collection.size() == 5);
    CHECK(collection.get("article-3") == article(3, 1));
}

TEST_CASE("Records that die during a merge in memory are dead after it, and a merge that is stopped changes nothing") {
    Options options = on_call();
    options.segment_capacity = 3000;
    Collection<Articles> collection(kith::in_memory, options);
    std::map<int, int> versions;
    for (int round = 0; round < 2; ++round) {
        collection.upsert(articles(0, 2500, round));
        for (int number = 0; number < 2500; ++number) versions[number] = round;
    }
    int calls = 0;
    LongCall call;
    call.progress = [&](double) {
        if (++calls % 2 != 0 || calls > 30) return;
        const int number = calls * 17;
        collection.upsert(article(number, 2));
        versions[number] = 2;
        collection.erase("article-" + std::to_string(number + 1));
        versions.erase(number + 1);
    };
    collection.compact(call);
    CHECK(calls > 6);
    expect(collection, versions);
    collection.compact();
    expect(collection, versions);
    CHECK(collection.stats().deleted == 0);

    collection.upsert(articles(0, 2000, 3));
    for (int number = 0; number < 2000; ++number) versions[number] = 3;
    LongCall late;
    late.progress = [last = 0](double share) mutable {
        if (share > 0.2 && ++last > 2) throw std::runtime_error("enough");
    };
    CHECK_THROWS_WITH(collection.compact(late), "enough");
    expect(collection, versions);
    collection.compact();
    expect(collection, versions);
}

TEST_CASE("Readers beside the merges of a collection in memory see each record once, in its newest version",
          "[threads]") {
    constexpr int count = 1500;
    Collection<Articles> collection(kith::in_memory);
    collection.insert(articles(0, count));
    std::atomic<bool> stop = false;
    std::atomic<int> shown = 0;  // the version that every record has, at least
    std::thread reader([&] {
        for (int turn = 0; !stop.load(); ++turn) {
            const int number = turn * 31 % count;
            const int least = shown.load();
            const auto found = collection.get("article-" + std::to_string(number));
            if (!found.has_value()) std::abort();
            const int version = std::atoi(found->title.substr(found->title.rfind(' ') + 1).c_str());
            if (version < least || *found != article(number, version)) std::abort();
            const auto snapshot = collection.snapshot();
            if (snapshot.size() != count) std::abort();
            if (snapshot.nearest<&Article::embedding>(found->embedding).limit(5).run().size() != 5) std::abort();
        }
    });
    for (int round = 1; round <= 12; ++round) {
        for (int first = 0; first < count; first += 100) collection.upsert(articles(first, 100, round));
        shown = round;
    }
    await([&] { return collection.stats().deleted <= count; });
    stop = true;
    reader.join();
    std::map<int, int> versions;
    for (int number = 0; number < count; ++number) versions[number] = 12;
    expect(collection, versions);
}
