// tests/collection/concurrent_test.cpp — many threads at once: no race, no torn batch, nothing lost.
#include "article.hpp"

#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

using kith::Collection;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::TemporaryDirectory;

namespace {

/// Runs each of `jobs` in a thread of its own.
void at_once(const std::vector<std::function<void()>>& jobs) {
    std::vector<std::thread> threads;
    for (const auto& job : jobs) threads.emplace_back(job);
    for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("Writers at the same time share syncs and lose nothing", "[threads]") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        std::vector<std::function<void()>> writers;
        for (int writer = 0; writer < 4; ++writer) {
            writers.push_back([&collection, writer] {
                for (int i = 0; i < 20; ++i) collection.insert(articles(1000 * writer + 5 * i, 5));
            });
        }
        writers.push_back([&collection] {
            for (int i = 0; i < 5; ++i) collection.checkpoint();
        });
        at_once(writers);
        CHECK(collection.size() == 400);
    }
    const Collection<Articles> collection(path);
    for (int writer = 0; writer < 4; ++writer) {
        for (int i = 0; i < 100; ++i) {
            const int number = 1000 * writer + i;
            REQUIRE(collection.get("article-" + std::to_string(number)) == article(number));
        }
    }
}

TEST_CASE("A reader sees each batch whole or not at all", "[threads]") {
    Collection<Articles> collection(kith::in_memory);
    constexpr int batch = 8;
    constexpr int rounds = 60;
    collection.insert(articles(0, batch));
    std::atomic<bool> writing{true};
    std::atomic<int> torn{0};
    const auto read = [&] {
        while (writing) {
            int version = -1;
            int count = 0;
            for (const Article& record : collection.records()) {
                const int found = std::stoi(record.title.substr(record.title.rfind(' ') + 1));
                if (version >= 0 && found != version) ++torn;
                version = found;
                ++count;
            }
            if (count != batch) ++torn;
        }
    };
    at_once({[&] {
                 for (int version = 1; version <= rounds; ++version) collection.upsert(articles(0, batch, version));
                 writing = false;
             },
             read, read});
    CHECK(torn == 0);
}

TEST_CASE("Readers who never pause do not keep a collection from closing", "[threads]") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith");
    collection.insert(articles(0, 100));
    collection.checkpoint();
    std::atomic<int> reads{0};
    const auto read = [&] {
        try {
            for (;; ++reads) static_cast<void>(collection.get("article-7"));
        } catch (const kith::Error& error) {
            if (error.code() != kith::Errc::closed) reads = -1'000'000;
        }
    };
    at_once({read, read, read, read, [&] {
                 while (reads < 1000) std::this_thread::yield();
                 collection.close();
             }});
    CHECK(reads >= 1000);
}

TEST_CASE("Linking waits for the records of its moment, not for writers who go on", "[threads]") {
    Collection<Articles> collection(kith::in_memory);
    collection.insert(articles(0, 100));
    std::atomic<bool> linked{false};
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    at_once({[&] {
                 for (int next = 100; !linked && std::chrono::steady_clock::now() < patience; next += 500) {
                     collection.insert(articles(next, 500));
                 }
             },
             [&] {
                 collection.link();
                 linked = std::chrono::steady_clock::now() < patience;
             }});
    CHECK(linked);
}

TEST_CASE("Searches beside inserts, erases and checkpoints return living records, nearest first", "[threads]") {
    const TemporaryDirectory directory;
    kith::Options options;
    options.durability = kith::Durability::on_checkpoint();
    options.segment_capacity = 700;
    options.index_threads = 2;
    Collection<Articles> collection(directory / "articles.kith", options);
    collection.insert(articles(0, 100));
    std::atomic<bool> writing{true};
    std::atomic<int> wrong{0};
    std::atomic<int> searches{0};
    const auto search = [&](int seed) {
        for (int round = 0; writing || round < 3; ++round) {
            const Article probe = article(50000 + seed * 1000 + round);
            const auto hits = collection.nearest<&Article::embedding>(probe.embedding).limit(10).run();
            if (hits.size() != 10) ++wrong;
            for (std::size_t i = 0; i < hits.size(); ++i) {
                const float distance = kith::L2::distance(probe.embedding.data(), hits[i].record.embedding.data(), 8);
                if (std::abs(distance - hits[i].distance) > 1e-5F * (1 + distance)) ++wrong;
                if (i > 0 && hits[i].distance < hits[i - 1].distance) ++wrong;
            }
            const auto one = collection.get("article-7");
            if (one != article(7)) ++wrong;
            ++searches;
        }
    };
    at_once({[&] {
                 for (int step = 0; step < 40; ++step) {
                     collection.upsert(articles(100 + step * 40, 40));
                     collection.upsert(articles(50, 20, step));
                     for (int i = 0; i < 5; ++i) collection.erase("article-" + std::to_string(100 + step * 40 + i));
                     if (step % 10 == 9) collection.checkpoint();
                 }
                 writing = false;
             },
             [&] { search(1); }, [&] { search(2); }});
    CHECK(wrong == 0);
    CHECK(searches > 0);
    CHECK(collection.size() == 100 + 40 * 35);
}

TEST_CASE("Updates at the same time each see the one before", "[threads]") {
    Collection<Articles> collection(kith::in_memory);
    collection.insert(article(1));
    const std::int32_t before = article(1).year;
    const auto count_up = [&] {
        for (int i = 0; i < 100; ++i) collection.update("article-1", [](Article& record) { ++record.year; });
    };
    at_once({count_up, count_up, count_up});
    CHECK(collection.get("article-1")->year == before + 300);
}
