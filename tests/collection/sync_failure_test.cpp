// tests/collection/sync_failure_test.cpp — a disk that refuses to sync: nothing is pretended, everything is recovered.
//
// The functions below stand before the C library's for the whole test program, so that a test can make a sync fail.
#include "article.hpp"

#include "support/catch.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

namespace {

std::atomic<bool> syncs_fail{false};
std::atomic<int> failed_syncs{0};
std::atomic<int> syncs_until_failure{0};  // counts down; at 0 one fails

}  // namespace

extern "C" int fdatasync(int descriptor) {
    if (syncs_fail || --syncs_until_failure == 0) {
        ++failed_syncs;
        errno = EIO;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

using kith::Collection;
using kith::Errc;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::TemporaryDirectory;

namespace {

template <class Act>
Errc code_of(Act&& act) {
    try {
        act();
    } catch (const kith::Error& error) {
        return error.code();
    }
    FAIL("nothing was raised");
    return Errc::cancelled;
}

/// Makes every sync fail while it lives.
struct FailingSyncs {
    FailingSyncs() {
        failed_syncs = 0;
        syncs_fail = true;
    }
    ~FailingSyncs() { syncs_fail = false; }
};

}  // namespace

TEST_CASE("A failed sync acknowledges nothing, poisons the collection, and reopening recovers what was acknowledged") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 10));
        {
            const FailingSyncs failing;
            CHECK(code_of([&] { collection.insert(articles(10, 10)); }) == Errc::io);
        }
        CHECK(collection.size() == 10);
        CHECK_FALSE(collection.contains("article-10"));
        CHECK(code_of([&] { collection.insert(article(50)); }) == Errc::poisoned);
        CHECK(code_of([&] { collection.erase("article-1"); }) == Errc::poisoned);
        CHECK(code_of([&] { collection.checkpoint(); }) == Errc::poisoned);
        CHECK(collection.get("article-3") == article(3));
        CHECK(collection.nearest<&Article::embedding>(article(3).embedding).limit(1).run().at(0).record == article(3));
    }
    Collection<Articles> collection(path);
    CHECK((collection.size() == 10 || collection.size() == 20));
    for (int number = 0; number < 10; ++number) {
        CHECK(collection.get("article-" + std::to_string(number)) == article(number));
    }
    collection.insert(article(50));
    CHECK(collection.get("article-50") == article(50));
}

TEST_CASE("A checkpoint whose syncs fail leaves the collection as it was") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 10));
        {
            const FailingSyncs failing;
            CHECK_THROWS_AS(collection.checkpoint(), kith::Error);
        }
        CHECK(collection.size() == 10);
    }
    const Collection<Articles> collection(path);
    CHECK(collection.size() == 10);
}

TEST_CASE("Whichever sync of a checkpoint fails, the next ones lose nothing either") {
    int failures = 0;
    for (int number = 1; number <= 12; ++number) {
        const TemporaryDirectory directory;
        const auto path = directory / "articles.kith";
        int acknowledged = 20;
        {
            Collection<Articles> collection(path);
            collection.insert(articles(0, 10));
            collection.checkpoint();
            collection.insert(articles(10, 10));
            syncs_until_failure = number;
            for (int attempt = 0; attempt < 3; ++attempt) {
                try {
                    collection.checkpoint();
                    collection.insert(articles(acknowledged, 10));
                    acknowledged += 10;
                } catch (const kith::Error&) {
                    ++failures;
                }
            }
            syncs_until_failure = 0;
        }
        const Collection<Articles> collection(path);
        CHECK(collection.size() >= static_cast<std::size_t>(acknowledged));
        for (int of = 0; of < acknowledged; ++of) {
            CHECK(collection.get("article-" + std::to_string(of)) == article(of));
        }
    }
    CHECK(failures >= 4);
}

TEST_CASE("A failed sync between calls is told by the next write and by the close") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    kith::Options options;
    options.durability = kith::Durability::interval(std::chrono::milliseconds(1));
    Collection<Articles> collection(path, options);
    {
        const FailingSyncs failing;
        collection.insert(article(1));
        for (int wait = 0; wait < 1000 && failed_syncs == 0; ++wait) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    CHECK(collection.contains("article-1"));
    CHECK(code_of([&] { collection.insert(article(2)); }) == Errc::poisoned);
    CHECK(code_of([&] { collection.close(); }) == Errc::poisoned);
    CHECK(Collection<Articles>(path).size() == 1);
}

TEST_CASE("A checkpoint that cannot sync the log poisons the collection") {
    const TemporaryDirectory directory;
    kith::Options options;
    options.durability = kith::Durability::on_checkpoint();
    Collection<Articles> collection(directory / "articles.kith", options);
    collection.insert(article(1));
    {
        const FailingSyncs failing;
        CHECK(code_of([&] { collection.checkpoint(); }) == Errc::io);
    }
    CHECK(code_of([&] { collection.checkpoint(); }) == Errc::poisoned);
    CHECK(collection.get("article-1") == article(1));
    CHECK(code_of([&] { collection.close(); }) == Errc::poisoned);
}

TEST_CASE("A close whose sync fails says so, and the collection is closed all the same") {
    const TemporaryDirectory directory;
    kith::Options options;
    options.durability = kith::Durability::on_checkpoint();
    Collection<Articles> collection(directory / "articles.kith", options);
    collection.insert(article(1));
    {
        const FailingSyncs failing;
        CHECK(code_of([&] { collection.close(); }) == Errc::io);
    }
    CHECK(code_of([&] { (void)collection.size(); }) == Errc::closed);
    collection.close();
    CHECK(Collection<Articles>(directory / "articles.kith").size() == 1);
}
