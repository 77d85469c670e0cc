// tests/collection/backup_test.cpp — a backup opens, holds all that was acknowledged before it, and shares what never
// changes.
#include "damage_fixture.hpp"

#include "kith/collection/backup.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"

#include "collection/holder.hpp"

#include <sys/stat.h>
#include <atomic>
#include <cerrno>
#include <stop_token>
#include <thread>

using kith::BackupReport;
using kith::Collection;
using kith::Errc;
using kith::LongCall;
using kith_test::all_bytes;
using kith_test::Article;
using kith_test::article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::fixture_articles;
using kith_test::fixture_version;
using kith_test::listed;
using kith_test::make_fixture;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

void expect_fixture(const fs::path& path) {
    const Collection<Articles> collection(path);
    for (int number = 0; number < fixture_articles; ++number) {
        const auto version = fixture_version(number);
        const auto found = collection.get("article-" + std::to_string(number));
        REQUIRE(found.has_value() == version.has_value());
        if (found.has_value()) REQUIRE(found->embedding == article(number, *version).embedding);
    }
}

std::uint64_t inode_of(const fs::path& file) {
    struct stat status = {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    return status.st_ino;
}

}  // namespace

TEST_CASE("A backup opens as the collection, and the collection is as it was") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const auto before = all_bytes(path);
    const BackupReport report = kith::backup(path, directory / "copy");
    CHECK(report.last_sequence == 16);
    CHECK(report.linked_files > 3);
    CHECK(report.copied_files >= 3);
    CHECK(all_bytes(path) == before);
    const kith::VerifyReport verified = kith::verify(directory / "copy");
    INFO(listed(verified));
    CHECK(verified.clean());
    CHECK(verified.remarks.empty());
    CHECK(verified.records == 290);
    CHECK(verified.logged_batches == 3);
    expect_fixture(directory / "copy");
    fs::remove_all(path);
    expect_fixture(directory / "copy");
}

TEST_CASE("A second backup takes no space for what the first one has") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    kith::backup(path, directory / "monday");
    {
        Collection<Articles> collection(path);
        collection.insert(articles(1000, 50));
        collection.checkpoint();
    }
    kith::backup(path, directory / "tuesday");
    int shared = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory / "monday" / "segments")) {
        if (!entry.is_regular_file()) continue;
        const fs::path name = fs::relative(entry.path(), directory / "monday");
        if (!fs::exists(directory / "tuesday" / name)) continue;
        CHECK(inode_of(entry.path()) == inode_of(directory / "tuesday" / name));
        CHECK(inode_of(entry.path()) == inode_of(path / name));
        ++shared;
    }
    CHECK(shared > 3);
    CHECK(Collection<Articles>(directory / "monday").size() == 320);
    CHECK(Collection<Articles>(directory / "tuesday").size() == 370);
    CHECK(kith::verify(directory / "tuesday").clean());
}

TEST_CASE("Writers are kept out of a backup that nobody has opened yet while it is read") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    make_fixture(directory / "articles.kith");
    kith::backup(directory / "articles.kith", directory / "copy");
    {
        const kith::detail::WriterBarrier reading(directory / "copy");
        CHECK(raised([&] { const Collection<Articles> writer(directory / "copy"); }).code == Errc::locked);
    }
    expect_fixture(directory / "copy");
}

TEST_CASE("Where the collection cannot be linked, a backup links what the one before has") {
    const fs::path memory = "/dev/shm";
    const fs::path disk = fs::temp_directory_path();
    struct stat a = {};
    struct stat b = {};
    if (::stat(memory.c_str(), &a) != 0 || ::stat(disk.c_str(), &b) != 0 || a.st_dev == b.st_dev) return;
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;  // in memory
    const fs::path away = disk / ("kith-test-backup-" + std::to_string(::getpid()));
    fs::remove_all(away);
    fs::create_directory(away);
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const BackupReport first = kith::backup(path, away / "first");
    CHECK(first.linked_files == 0);
    const BackupReport second = kith::backup(path, away / "second", {.previous = away / "first"});
    CHECK(second.linked_files > 3);
    CHECK(second.copied_bytes < first.copied_bytes);
    for (const char* name : {"segments/0000000000/embedding.rows", "segments/0000000001/embedding.graph"}) {
        CHECK(inode_of(away / "first" / name) == inode_of(away / "second" / name));
    }
    // A file of the same name with another content is not taken for the same.
    set_bytes(away / "first/segments/0000000000/embedding.rows",
              kith_test::bytes_of(path / "segments/0000000000/embedding.graph"));
    const BackupReport third = kith::backup(path, away / "third", {.previous = away / "first"});
    CHECK(third.linked_files == second.linked_files - 1);
    for (const char* each : {"second", "third"}) {
        CHECK(kith::verify(away / each).clean());
        expect_fixture(away / each);
    }
    fs::remove_all(away);
}

TEST_CASE("A backup beside a writer holds a prefix, with all that was acknowledged before", "[threads]") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> collection(path);
    collection.insert(articles(0, 50));
    collection.checkpoint();
    std::atomic<int> acknowledged = 50;
    std::atomic<bool> enough = false;
    std::atomic<int> most = 0;  // that the writer may write: unbounded, it fills a disk that is slow to be copied
    std::thread writer([&] {
        for (int number = 50; !enough;) {
            if (number >= most) {
                std::this_thread::yield();
                continue;
            }
            collection.insert(article(number++));
            acknowledged = number;
        }
    });
    for (int round = 0; round < 8; ++round) {
        most = acknowledged + 400;
        while (acknowledged < 60 + 20 * round) std::this_thread::yield();
        const int before = acknowledged;
        const fs::path to = directory / ("backup-" + std::to_string(round));
        collection.backup(to);
        const Collection<Articles> restored(to);
        const int size = static_cast<int>(restored.size());
        CHECK(size >= before);
        for (int number = 0; number < size; ++number) {
            REQUIRE(restored.get("article-" + std::to_string(number)) == article(number));
        }
        CHECK_FALSE(restored.recovery().torn_tail.has_value());
    }
    enough = true;
    writer.join();
    const Raised refused = raised([&] { kith::backup(path, directory / "other"); });
    CHECK(refused.code == Errc::locked);
    CHECK(refused.says("is open for writing by this process"));
}

TEST_CASE("A backup that cannot be made leaves nothing, and says why") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        const FileFaults quick = FileFaults::no_syncs();
        make_fixture(path);
    }
    const auto expect = [&](const fs::path& to, Errc code, const std::string& words,
                            const kith::BackupOptions& options = {}, const LongCall& call = {}) {
        const auto before = all_bytes(directory.path());
        const Raised trouble = raised([&] { kith::backup(path, to, options, call); });
        CAPTURE(words, trouble.text);
        CHECK(trouble.code == code);
        CHECK(trouble.says(words));
        CHECK(all_bytes(directory.path()) == before);
    };
    fs::create_directory(directory / "full");
    fs::create_directory(directory / "empty");
    set_bytes(directory / "full" / "file", "x");
    expect(directory / "full", Errc::already_exists, "full exists");
    expect(directory / "empty", Errc::already_exists, "empty exists");
    expect(directory / "nowhere" / "copy", Errc::not_found, "nowhere does not exist");
    expect(path / "copy", Errc::invalid_argument, "lies within the collection");
    expect(path / ".." / "articles.kith" / "segments" / "copy", Errc::invalid_argument, "lies within the collection");
    expect("", Errc::invalid_argument, "path is empty");
    {
        const FileFaults quick = FileFaults::no_syncs();
        Collection<Articles>(directory / "stranger").close();
    }
    expect(directory / "copy", Errc::invalid_argument, "another collection", {.previous = directory / "stranger"});
    expect(directory / "copy", Errc::not_found, "no such directory", {.previous = directory / "absent"});

    std::stop_source stopped;
    LongCall call;
    call.stop = stopped.get_token();
    double seen = 0;
    call.progress = [&](double done) {
        CHECK(done >= seen);
        seen = done;
        if (done > 0.5) stopped.request_stop();
    };
    expect(directory / "copy", Errc::cancelled, "stopped", {}, call);
    CHECK(seen > 0.5);
    if (FileFaults::work()) {
        for (int nth = 1; nth < 40; ++nth) {
            const FileFaults faults(FileCall::sync, nth, EIO);
            const Raised trouble = raised([&] { kith::backup(path, directory / "copy"); });
            if (!trouble.code.has_value()) {
                CHECK(nth > 5);
                break;
            }
            CAPTURE(nth, trouble.text);
            CHECK((trouble.code == Errc::io || trouble.code == Errc::disk_full));
            CHECK_FALSE(fs::exists(directory / "copy.tmp"));
        }
        fs::remove_all(directory / "copy");
    }
    // What a process that was killed left is removed.
    fs::create_directories(directory / "copy.tmp" / "segments" / "0000000000");
    set_bytes(directory / "copy.tmp" / "segments" / "0000000000" / "embedding.rows", "half");
    kith::backup(path, directory / "copy");
    CHECK_FALSE(fs::exists(directory / "copy.tmp"));
    CHECK(kith::verify(directory / "copy").clean());
    expect_fixture(directory / "copy");
}
