// tests/collection/maintenance_test.cpp — segments are sealed and merged beside readers and writers, and space comes back.
#include "article.hpp"
#include "settings.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <stop_token>
#include <thread>

using kith::Collection;
using kith::CollectionStats;
using kith::Durability;
using kith::Errc;
using kith::LongCall;
using kith::Maintenance;
using kith::Options;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::await;
using kith_test::on_call;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

void expect(const Collection<Articles>& collection, const std::map<int, int>& versions) {
    REQUIRE(collection.size() == versions.size());
    for (const auto& [number, version] : versions) {
        REQUIRE(collection.get("article-" + std::to_string(number)) == article(number, version));
        const auto asked = article(number, version).embedding;
        const auto hits = collection.nearest<&Article::embedding>(asked).limit(1).exact().run();
        REQUIRE(hits.size() == 1);
        REQUIRE(hits[0].record.id == "article-" + std::to_string(number));
    }
}

}  // namespace

TEST_CASE("A segment that is full is sealed in the background, and the log shrinks") {
    const TemporaryDirectory directory;
    Options options;
    options.segment_capacity = 100;
    Collection<Articles> collection(directory / "articles.kith", options);
    for (int first = 0; first < 1000; first += 50) collection.insert(articles(first, 50));
    await([&] {
        const CollectionStats stats = collection.stats();
        return stats.segments.size() <= 11 && stats.memory_bytes <= 100 * 1000;  // columns in memory grow by blocks
    });
    CHECK(collection.stats().trouble.empty());
    CHECK(collection.size() == 1000);
}

TEST_CASE("Small segments are merged in the background, beside readers and writers", "[threads]") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Options options;
    options.segment_capacity = 4000;
    options.log_bytes = 4000;
    options.durability = Durability::on_checkpoint();
    std::map<int, int> versions;
    {
        Collection<Articles> collection(path, options);
        std::atomic<bool> stop = false;
        std::thread reader([&] {
            while (!stop.load()) {
                const auto hits = collection.nearest<&Article::embedding>(article(1).embedding).limit(3).run();
                if (hits.empty()) continue;
                const auto snapshot = collection.snapshot();
                std::size_t count = 0;
                for (const Article& one : snapshot.records()) count += one.id.empty() ? 0U : 1U;
                if (count != snapshot.size()) std::abort();
            }
        });
        for (int round = 0; round < 60; ++round) {
            const int first = (round * 37) % 300;
            collection.upsert(articles(first, 40, round));
            for (int number = first; number < first + 40; ++number) versions[number] = round;
            collection.erase("article-" + std::to_string(first + 3));
            versions.erase(first + 3);
        }
        await([&] { return collection.stats().segments.size() <= 12 && collection.stats().memory_bytes <= 8000; });
        stop = true;
        reader.join();
        CHECK(collection.stats().trouble.empty());
        expect(collection, versions);
    }
    const Collection<Articles> again(path, options);
    expect(again, versions);
}

TEST_CASE("What checkpoint() sealed is merged, and no write has to come for that") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith", Options());
    for (int first = 0; first < 40;
         first += 10) {  // four segments of a size make one, and the last is there at the end
        collection.insert(articles(first, 10));
        collection.checkpoint();
    }
    await([&] { return collection.stats().segments.size() == 1; });
    CHECK(collection.size() == 40);
}

TEST_CASE("A segment most of which was erased is written anew in the background") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith");
    collection.insert(articles(0, 4000));
    collection.checkpoint();
    std::vector<std::string> keys;
    for (int number = 0; number < 4000; ++number) {
        if (number % 3 == 0) keys.push_back("article-" + std::to_string(number));
    }
    collection.erase(keys);
    await([&] {
        const CollectionStats stats = collection.stats();
        return stats.deleted == 0 && stats.retired_bytes == 0 && stats.segments.size() == 1;
    });
    CHECK(collection.size() == 4000 - keys.size());
    CHECK(collection.get("article-4") == article(4));
    CHECK_FALSE(collection.contains("article-3"));
}

TEST_CASE("compact() leaves one segment without a dead record, and the next open finds nothing to do") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    std::map<int, int> versions;
    {
        Collection<Articles> collection(path, on_call());
        for (int round = 0; round < 7; ++round) {
            collection.upsert(articles(round * 20, 60, round));
            for (int number = round * 20; number < round * 20 + 60; ++number) versions[number] = round;
            collection.checkpoint();
        }
        for (int number = 0; number < 30; ++number) {
            collection.erase("article-" + std::to_string(number));
            versions.erase(number);
        }
        const CollectionStats before = collection.stats();
        CHECK(before.segments.size() == 7);
        CHECK(before.deleted == 7 * 60 - versions.size());
        CHECK(before.reclaimable_bytes > 0);
        CHECK(before.last_sequence == 7 + 30);
        collection.compact();
        const CollectionStats after = collection.stats();
        REQUIRE(after.segments.size() == 1);
        CHECK(after.segments[0].records == versions.size());
        CHECK(after.deleted == 0);
        CHECK(after.reclaimable_bytes == 0);
        CHECK(after.retired_bytes == 0);
        CHECK(after.disk_bytes() < before.disk_bytes());
        expect(collection, versions);
    }
    Collection<Articles> again(path, on_call());
    CHECK(again.recovery().replayed_batches == 0);
    CHECK(again.recovery().removed_files.empty());
    expect(again, versions);
    again.upsert(articles(0, 10, 9));
    for (int number = 0; number < 10; ++number) versions[number] = 9;
    expect(again, versions);
}

TEST_CASE("When every record is erased, compact() leaves no segment") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith", on_call());
    collection.insert(articles(0, 50));
    collection.checkpoint();
    for (int number = 0; number < 50; ++number) collection.erase("article-" + std::to_string(number));
    collection.compact();
    CHECK(collection.stats().segments.empty());
    CHECK(collection.stats().segment_bytes == 0);
    CHECK(collection.nearest<&Article::embedding>(article(1).embedding).run().empty());
    collection.insert(articles(0, 5, 1));
    CHECK(collection.size() == 5);
    collection.close();
    CHECK(Collection<Articles>(directory / "articles.kith").size() == 5);
}

TEST_CASE("Records that die during a merge are dead after it") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    std::map<int, int> versions;
    {
        Collection<Articles> collection(path, on_call());
        for (int round = 0; round < 4; ++round) {
            collection.insert(articles(round * 500, 500));
            for (int number = round * 500; number < round * 500 + 500; ++number) versions[number] = 0;
            collection.checkpoint();
        }
        int calls = 0;
        LongCall call;
        call.progress = [&](double) {
            // In the middle of it a writer replaces and erases what is being merged, and makes a checkpoint of it.
            if (++calls % 2 != 0 || calls > 12) return;
            const int number = calls * 17;
            collection.upsert(article(number, 1));
            versions[number] = 1;
            collection.erase("article-" + std::to_string(number + 1));
            versions.erase(number + 1);
        };
        collection.compact(call);
        CHECK(calls > 4);
        expect(collection, versions);
        collection.upsert(articles(1000, 10, 2));
        for (int number = 1000; number < 1010; ++number) versions[number] = 2;
    }
    Collection<Articles> again(path, on_call());
    expect(again, versions);
    again.compact();
    expect(again, versions);
}

TEST_CASE("A long call can be stopped, and leaves everything as it was") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith", on_call());
    collection.insert(articles(0, 3000));
    std::stop_source source;
    source.request_stop();
    LongCall stopped;
    stopped.stop = source.get_token();
    CHECK(raised([&] { collection.checkpoint(stopped); }).code == Errc::cancelled);
    LongCall late;
    late.deadline = std::chrono::steady_clock::now();
    CHECK(raised([&] { collection.compact(late); }).code == Errc::timed_out);
    CHECK(raised([&] { collection.link(late); }).code == Errc::timed_out);
    for (int last = 1; last < 20; ++last) {
        LongCall thrower;
        thrower.progress = [left = last](double) mutable {
            if (--left == 0) throw std::runtime_error("enough");
        };
        try {
            collection.compact(thrower);
        } catch (const std::runtime_error& error) {
            CHECK(std::string(error.what()) == "enough");
        }
        REQUIRE(collection.size() == 3000);
        REQUIRE(collection.get("article-2999") == article(2999));
        collection.upsert(articles(last * 10, 5, last));
    }
    collection.compact();
    CHECK(collection.size() == 3000);
    CHECK(collection.get("article-12") == article(12, 1));
}

TEST_CASE("A long call that waits for another one can be stopped, too", "[threads]") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith", on_call());
    collection.insert(articles(0, 100));
    std::atomic<bool> copying = false;
    std::atomic<bool> enough = false;
    std::thread other([&] {
        LongCall slow;
        slow.progress = [&](double) {
            copying = true;
            while (!enough) std::this_thread::yield();
        };
        collection.backup(directory / "backup", {}, slow);
    });
    await([&] { return copying.load(); });
    LongCall late;
    late.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    CHECK(raised([&] { collection.checkpoint(late); }).code == Errc::timed_out);
    CHECK(raised([&] { collection.compact(late); }).code == Errc::timed_out);
    CHECK(raised([&] { collection.backup(directory / "second", {}, late); }).code == Errc::timed_out);
    std::stop_source source;
    source.request_stop();
    LongCall stopped;
    stopped.stop = source.get_token();
    CHECK(raised([&] { collection.checkpoint(stopped); }).code == Errc::cancelled);
    enough = true;
    other.join();
    collection.compact();
    CHECK(Collection<Articles>(directory / "backup").size() == 100);
}

TEST_CASE("A writer waits while records in memory pass the budget, and goes on when they are sealed") {
    const TemporaryDirectory directory;
    Options options;
    options.memory_bytes = 400'000;
    Collection<Articles> collection(directory / "articles.kith", options);
    std::uint64_t most = 0;
    for (int first = 0; first < 10'000; first += 100) {
        collection.insert(articles(first, 100));
        most = std::max(most, collection.stats().memory_bytes);
    }
    CHECK(most <= 400'000 + 100'000);  // a batch, and the blocks that its columns grow by
    CHECK(collection.size() == 10'000);

    const TemporaryDirectory other;
    options.maintenance = Maintenance::on_call;
    Collection<Articles> alone(other / "articles.kith", options);
    alone.insert(articles(0, 3000));
    const auto refused = raised([&] { alone.insert(article(3000)); });
    CHECK(refused.code == Errc::limit_exceeded);
    CHECK(refused.says("call checkpoint()"));
    alone.checkpoint();
    alone.insert(article(3000));
    CHECK(alone.size() == 3001);
}

TEST_CASE("Puts are refused when files would pass the limit, erasing and compacting are not") {
    const TemporaryDirectory directory;
    Options options = on_call();
    options.max_disk_bytes = 400'000;
    Collection<Articles> collection(directory / "articles.kith", options);
    int written = 0;
    kith_test::Raised refused;
    while (!refused.code.has_value() && written < 10'000) {
        refused = raised([&] {
            collection.insert(articles(written, 100));
            written += 100;
            if (written % 500 == 0) collection.checkpoint();
        });
    }
    CHECK(refused.code == Errc::disk_full);
    CHECK(refused.says("Options::max_disk_bytes allows 400000"));
    CHECK(collection.size() == static_cast<std::size_t>(written));
    for (int number = 0; number < written - 50; ++number) collection.erase("article-" + std::to_string(number));
    collection.compact();
    collection.insert(article(20'000));
    CHECK(collection.size() == 51);
}

TEST_CASE("A merge whose files would pass the limit is not begun in the background") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Options options = on_call();
    std::uint64_t bytes = 0;
    {
        Collection<Articles> collection(path, options);
        for (int first = 0; first < 200; first += 50) {
            collection.insert(articles(first, 50));
            collection.checkpoint();
        }
        bytes = collection.stats().disk_bytes();
    }
    options.maintenance = Maintenance::automatic;
    options.log_bytes = 1;  // each erasure is sealed
    options.max_disk_bytes = bytes;
    {
        Collection<Articles> collection(path, options);
        // What comes after one seal in the background has ended when the next one has.
        for (const char* erased : {"article-0", "article-60"}) {
            collection.erase(erased);
            await([&] { return collection.stats().log_bytes == 0; });
        }
        CHECK(collection.stats().segments.size() == 4);
        CHECK(collection.stats().trouble.empty());
    }
    options.max_disk_bytes = 0;
    Collection<Articles> collection(path, options);
    await([&] { return collection.stats().segments.size() == 1; });
    CHECK(collection.size() == 198);
}
