// tests/collection/sync_failure_test.cpp — a disk that refuses to sync: nothing is pretended, everything is recovered.
#include "article.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

using kith::Collection;
using kith::Errc;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::raised;
using kith_test::Raised;
using kith_test::TemporaryDirectory;

namespace {

/// Makes every sync fail while it lives.
FileFaults failing_syncs() {
    return {FileCall::sync, 1, EIO, FileFaults::every_later_one};
}

/// How many folders of segments there are.
int segments_in(const std::filesystem::path& collection) {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(collection / "segments")) ++count;
    return count;
}

}  // namespace

TEST_CASE("A failed sync acknowledges nothing, poisons the collection, and reopening recovers what was acknowledged") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 10));
        {
            const FileFaults failing = failing_syncs();
            CHECK(raised([&] { collection.insert(articles(10, 10)); }).code == Errc::io);
        }
        CHECK(collection.size() == 10);
        CHECK_FALSE(collection.contains("article-10"));
        const Raised refused = raised([&] { collection.insert(article(50)); });
        CHECK(refused.code == Errc::poisoned);
        CHECK(refused.says("articles.kith"));
        CHECK(refused.says("open the collection again"));
        CHECK(raised([&] { collection.erase("article-1"); }).code == Errc::poisoned);
        CHECK(raised([&] { collection.checkpoint(); }).code == Errc::poisoned);
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

TEST_CASE("Whichever sync fails while a collection is made and opened, the call says so, and the next one succeeds") {
    if (!FileFaults::work()) return;
    int syncs = 0;
    {
        const TemporaryDirectory directory;
        const FileFaults counted(FileCall::sync, FileFaults::every_later_one, EIO);
        const Collection<Articles> collection(directory / "articles.kith");
        syncs = FileFaults::calls(FileCall::sync);
    }
    for (int nth = 1; nth <= syncs; ++nth) {
        INFO("sync " << nth << " of " << syncs);
        const TemporaryDirectory directory;
        const auto path = directory / "articles.kith";
        {
            const FileFaults fault(FileCall::sync, nth, EIO);
            CHECK(raised([&] { const Collection<Articles> collection(path); }).code == Errc::io);
        }
        CHECK(Collection<Articles>(path).size() == 0);
    }
}

TEST_CASE("A checkpoint whose syncs fail leaves the collection as it was") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 10));
        {
            const FileFaults failing = failing_syncs();
            CHECK_THROWS_AS(collection.checkpoint(), kith::Error);
        }
        CHECK(collection.size() == 10);
    }
    const Collection<Articles> collection(path);
    CHECK(collection.size() == 10);
}

TEST_CASE("A checkpoint that fails on a full disk leaves no files there") {
    if (!FileFaults::work()) return;
    int failures = 0;
    for (int nth = 1; nth <= 12; ++nth) {
        INFO("sync " << nth);
        const TemporaryDirectory directory;
        const auto path = directory / "articles.kith";
        bool failed = false;
        {
            Collection<Articles> collection(path);
            collection.insert(articles(0, 10));
            // The later ones too, or the background tries once more and succeeds.
            const FileFaults full(FileCall::sync, nth, ENOSPC, FileFaults::every_later_one);
            failed = raised([&] { collection.checkpoint(); }).code.has_value();
            CHECK(collection.size() == 10);
            static_cast<void>(raised([&] { collection.close(); }));
        }
        failures += failed ? 1 : 0;
        CHECK(segments_in(path) == (failed ? 0 : 1));
    }
    CHECK(failures >= 4);
}

TEST_CASE("Files of merged segments go even where the disk is too full to let go of their rows") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    kith::Options options;
    options.maintenance = kith::Maintenance::on_call;
    Collection<Articles> collection(path, options);
    for (const int first : {0, 100}) {
        collection.insert(articles(first, 100));
        collection.checkpoint();
    }
    {
        const auto held = collection.snapshot();
        collection.compact();
    }
    CHECK(segments_in(path) == 3);
    kith_test::Raised refused;
    {
        const FileFaults full(FileCall::sync, 1, ENOSPC, FileFaults::every_later_one);
        // The thread that links records may hold them a moment longer.
        for (int wait = 0; wait < 10'000 && segments_in(path) > 1; ++wait) {
            refused = raised([&] { collection.compact(); });
        }
    }
    CHECK(refused.code == Errc::disk_full);
    CHECK(segments_in(path) == 1);
    collection.compact();
    CHECK(collection.size() == 200);
    CHECK(collection.get("article-150") == article(150));
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
            const FileFaults one(FileCall::sync, number, EIO);
            for (int attempt = 0; attempt < 3; ++attempt) {
                try {
                    collection.checkpoint();
                    collection.insert(articles(acknowledged, 10));
                    acknowledged += 10;
                } catch (const kith::Error&) {
                    ++failures;
                }
            }
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
        const FileFaults failing = failing_syncs();
        collection.insert(article(1));
        for (int wait = 0; wait < 1000 && FileFaults::calls(FileCall::sync) == 0; ++wait) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    CHECK(collection.contains("article-1"));
    CHECK(raised([&] { collection.insert(article(2)); }).code == Errc::poisoned);
    CHECK(raised([&] { collection.close(); }).code == Errc::poisoned);
    CHECK(Collection<Articles>(path).size() == 1);
}

TEST_CASE("A checkpoint that cannot sync the log poisons the collection") {
    const TemporaryDirectory directory;
    kith::Options options;
    options.durability = kith::Durability::on_checkpoint();
    Collection<Articles> collection(directory / "articles.kith", options);
    collection.insert(article(1));
    {
        const FileFaults failing = failing_syncs();
        CHECK(raised([&] { collection.checkpoint(); }).code == Errc::io);
    }
    CHECK(raised([&] { collection.checkpoint(); }).code == Errc::poisoned);
    CHECK(collection.get("article-1") == article(1));
    CHECK(raised([&] { collection.close(); }).code == Errc::poisoned);
}

TEST_CASE("A close whose sync fails says so, and the collection is closed all the same") {
    const TemporaryDirectory directory;
    kith::Options options;
    options.durability = kith::Durability::on_checkpoint();
    Collection<Articles> collection(directory / "articles.kith", options);
    collection.insert(article(1));
    {
        const FileFaults failing = failing_syncs();
        CHECK(raised([&] { collection.close(); }).code == Errc::io);
    }
    CHECK(raised([&] { (void)collection.size(); }).code == Errc::closed);
    collection.close();
    CHECK(Collection<Articles>(directory / "articles.kith").size() == 1);
}
