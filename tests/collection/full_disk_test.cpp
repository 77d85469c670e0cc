// tests/collection/full_disk_test.cpp — no room left: an error that says so, nothing lost, and the work goes on after.
#include "article.hpp"

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/file_faults.hpp"
#include "support/private_mount.hpp"
#include "support/raised.hpp"

#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <thread>

using kith::Collection;
using kith::Errc;
using kith::OpenMode;
using kith::Options;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::ChildSaid;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::in_child_process;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t disk_bytes = std::size_t{6} << 20;

/// What is wrong with a collection that should hold the articles 0 to `count` - 1 and no other.
std::string difference(const Collection<Articles>& collection, int count) {
    if (collection.size() != static_cast<std::size_t>(count)) {
        return "holds " + std::to_string(collection.size()) + ", not " + std::to_string(count);
    }
    for (int number = 0; number < count; ++number) {
        if (collection.get("article-" + std::to_string(number)) != article(number)) {
            return "article " + std::to_string(number) + " is another";
        }
    }
    if (count == 0) return "";
    const auto hits = collection.nearest<&Article::embedding>(article(count / 2).embedding).limit(1).run();
    return hits.size() == 1 && hits.front().record == article(count / 2) ? "" : "a search finds another article";
}

/// A small disk of the process's own, and a file that takes what room should not be there.
class SmallDisk {
public:
    explicit SmallDisk(const fs::path& directory) : directory_(directory) {}

    [[nodiscard]] fs::path collection() const { return directory_ / "articles.kith"; }

    /// Leaves `bytes` free, and no byte more than a page.
    void leave(std::uintmax_t bytes) const {
        free_all();
        const std::uintmax_t free = fs::space(directory_).available;
        if (free <= bytes || free > disk_bytes) return;  // more than its own disk is never filled
        std::ofstream out(directory_ / "ballast", std::ios::binary);
        const std::string piece(4096, 'b');
        for (std::uintmax_t taken = 0; taken + bytes < free; taken += piece.size()) out << piece;
    }

    void free_all() const { fs::remove(directory_ / "ballast"); }

private:
    fs::path directory_;
};

/// What is wrong with an error that should say that the disk is full; nothing when all is well.
std::string full_disk_trouble(const Raised& error) {
    if (!error.code.has_value()) return "nothing was raised";
    if (*error.code != Errc::disk_full) return "raised " + std::string(kith::name(*error.code)) + ": " + error.text;
    if (!error.says("No space left") && !error.says("the disk is full")) return "an unclear text: " + error.text;
    return error.says("articles.kith") ? "" : "no path in: " + error.text;
}

/// Runs `act` on a small disk in a child; false where a process gets no disk of its own.
bool on_small_disk(const std::function<std::string(const SmallDisk&)>& act) {
    const TemporaryDirectory directory;
    const ChildSaid said = in_child_process([&]() -> std::string {
        if (!kith_test::mount_small_disk(directory.path(), disk_bytes)) return "no mount";
        return act(SmallDisk(directory.path()));
    });
    if (said.complaint == "no mount") {
        WARN("left out: this system gives a process no mounts of its own");
        return false;
    }
    CHECK(said.complaint == "");
    return true;
}

}  // namespace

TEST_CASE("A disk that fills while records are inserted refuses whole batches, and takes them when there is room") {
    on_small_disk([](const SmallDisk& disk) -> std::string {
        int count = 0;
        {
            Collection<Articles> collection(disk.collection());
            for (int round = 0; round < 4; ++round) {
                disk.leave(100'000);
                Raised error;
                while (!error.code.has_value() && count < 100'000) {
                    error = raised([&] { collection.insert(articles(count, 50)); });
                    if (!error.code.has_value()) count += 50;
                }
                for (const std::string& trouble : {full_disk_trouble(error), difference(collection, count)}) {
                    if (!trouble.empty()) return trouble;
                }
                disk.free_all();
                collection.insert(articles(count, 50));
                count += 50;
                if (round == 1) collection.checkpoint();
            }
        }
        return difference(Collection<Articles>(disk.collection()), count);
    });
}

TEST_CASE("A disk that fills at any point of a checkpoint costs nothing, and the next checkpoint succeeds") {
    on_small_disk([](const SmallDisk& disk) -> std::string {
        int failures = 0;
        for (std::uintmax_t left = 0;; left += 24'000) {
            fs::remove_all(disk.collection());
            {
                Collection<Articles> collection(disk.collection());
                collection.insert(articles(0, 500));
                disk.leave(left);
                const Raised error = raised([&] { collection.checkpoint(); });
                if (!error.code.has_value()) break;
                ++failures;
                const std::string trouble = full_disk_trouble(error);
                if (!trouble.empty()) return std::to_string(left) + " bytes left: " + trouble;
                if (const std::string other = difference(collection, 500); !other.empty()) return other;
                disk.free_all();
                collection.insert(articles(500, 100));
                collection.checkpoint();
                if (const std::string other = difference(collection, 600); !other.empty()) return other;
                collection.insert(articles(600, 10));
            }
            const Collection<Articles> again(disk.collection());
            if (const std::string other = difference(again, 610); !other.empty()) return "reopened: " + other;
        }
        return failures > 3 ? "" : "only " + std::to_string(failures) + " checkpoints failed";
    });
}

TEST_CASE("A disk that fills while segments are sealed in the background loses nothing, and they are sealed later") {
    on_small_disk([](const SmallDisk& disk) -> std::string {
        int count = 0;
        {
            Options options;
            options.log_bytes = 20'000;
            Collection<Articles> collection(disk.collection(), options);
            for (int round = 0; round < 3; ++round) {
                disk.leave(60'000);
                Raised error;
                while (!error.code.has_value() && count < 100'000) {
                    error = raised([&] { collection.insert(articles(count, 20)); });
                    if (!error.code.has_value()) count += 20;
                    collection.link();
                }
                for (const std::string& trouble : {full_disk_trouble(error), difference(collection, count)}) {
                    if (!trouble.empty()) return trouble;
                }
                disk.free_all();
                for (int batch = 0; batch < 30; ++batch, count += 20) collection.insert(articles(count, 20));
            }
            collection.checkpoint();
            if (const std::string trouble = difference(collection, count); !trouble.empty()) return trouble;
        }
        return difference(Collection<Articles>(disk.collection()), count);
    });
}

TEST_CASE("On a full disk a collection opens read-only, no other way, and every way when there is room") {
    on_small_disk([](const SmallDisk& disk) -> std::string {
        {
            Collection<Articles> collection(disk.collection());
            collection.insert(articles(0, 300));
            collection.checkpoint();
            collection.insert(articles(300, 100));
        }
        disk.leave(0);
        Options options;
        options.mode = OpenMode::read_only;
        if (const std::string trouble = difference(Collection<Articles>(disk.collection(), options), 400);
            !trouble.empty()) {
            return "read-only: " + trouble;
        }
        // An open that replays a log begins a new file; one that finds nothing to do may succeed.
        const Raised error = raised([&] { Collection<Articles>{disk.collection()}; });
        if (const std::string trouble = full_disk_trouble(error); !trouble.empty()) return trouble;
        if (const Raised created = raised([&] { Collection<Articles>{disk.collection().parent_path() / "new"}; });
            created.code != Errc::disk_full || fs::exists(disk.collection().parent_path() / "new")) {
            return "creating: " + created.text;
        }
        disk.free_all();
        if (std::distance(fs::directory_iterator(disk.collection().parent_path()), {}) != 1) return "leftovers";
        Collection<Articles> collection(disk.collection());
        collection.insert(articles(400, 10));
        return difference(collection, 410);
    });
}

namespace {

/// Makes a collection of 60 articles, 40 of them sealed, fails a call while `act` runs on it with the third argument
/// as the number of articles then acknowledged, and looks at it; false when no call failed.
bool survives(FileCall call, int first, int calls, const std::function<void(Collection<Articles>&, int&)>& act) {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    int count = 60;
    bool failed = false;
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 40));
        collection.checkpoint();
        collection.insert(articles(40, 20));
        {
            const FileFaults full(call, first, ENOSPC, calls);
            const Raised error = raised([&] { act(collection, count); });
            failed = FileFaults::calls(call) >= first;
            if (error.code.has_value()) CHECK(error.code == Errc::disk_full);
        }
        // LMDB gives up where its last page cannot be written, which takes no new room on most disks: then only
        // reopening helps, and the error says so.
        std::string trouble;
        const Raised reading = raised([&] { trouble = difference(collection, count); });
        CHECK(trouble == "");
        if (reading.code.has_value()) {
            CHECK(reading.code == Errc::poisoned);
            CHECK(call == FileCall::write);
            CHECK(raised([&] { collection.upsert(std::vector<Article>()); }).code == Errc::poisoned);
            CHECK(raised([&] { collection.insert(articles(count, 5)); }).code == Errc::poisoned);
        } else {
            collection.insert(articles(count, 5));
            count += 5;
            collection.checkpoint();
            CHECK(difference(collection, count) == "");
        }
    }
    CHECK(difference(Collection<Articles>(path), count) == "");
    return failed;
}

}  // namespace

TEST_CASE("Whichever write, rename or truncation finds the disk full, once or for good, the collection goes on") {
    if (!FileFaults::work()) return;
    const std::vector<std::function<void(Collection<Articles>&, int&)>> acts{
        [](Collection<Articles>& collection, int& count) {
            collection.insert(articles(count, 10));
            count += 10;
        },
        [](Collection<Articles>& collection, int&) { collection.checkpoint(); },
    };
    int failed = 0;
    for (const auto& act : acts) {
        for (const FileCall call : {FileCall::write, FileCall::rename, FileCall::truncate}) {
            for (const int calls : {1, FileFaults::every_later_one}) {
                for (int first = 1; first < 200; ++first) {
                    CAPTURE(static_cast<int>(call), first, calls);
                    if (!survives(call, first, calls, act)) break;
                    ++failed;
                }
            }
        }
    }
    CHECK(failed > 10);
}

TEST_CASE("Whichever write or rename of an open or a creation finds the disk full, the next one succeeds") {
    if (!FileFaults::work()) return;
    for (const FileCall call : {FileCall::write, FileCall::rename}) {
        for (int first = 1; first < 200; ++first) {
            const TemporaryDirectory directory;
            const auto path = directory / "articles.kith";
            const auto filled = directory / "filled.kith";
            {
                Collection<Articles> collection(filled);
                collection.insert(articles(0, 10));
                collection.checkpoint();
                collection.insert(articles(10, 10));
            }
            bool struck = false;
            for (const auto& opened : {path, filled}) {
                const FileFaults full(call, first, ENOSPC, FileFaults::every_later_one);
                const Raised error = raised([&] { Collection<Articles>{opened}; });
                CAPTURE(error.text, first);
                struck = struck || FileFaults::calls(call) >= first;
                if (error.code.has_value()) {
                    CHECK(error.code == Errc::disk_full);
                    CHECK(error.says(opened.filename().string()));
                }
            }
            CHECK(std::distance(fs::directory_iterator(directory.path()), {}) <= 2);
            CHECK(difference(Collection<Articles>(path), 0) == "");
            CHECK(difference(Collection<Articles>(filled), 20) == "");
            if (!struck) break;
        }
    }
}

TEST_CASE(
    "A log that can neither be written nor cut back takes nothing any more, not even nothing, until it is reopened") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 10));
        {
            const FileFaults full(FileCall::write, 1, ENOSPC);
            const FileFaults stuck(FileCall::truncate, 1, EIO);
            CHECK(raised([&] { collection.insert(articles(10, 5)); }).code == Errc::disk_full);
        }
        CHECK(raised([&] { collection.upsert(std::vector<Article>()); }).code == Errc::poisoned);
        CHECK(raised([&] { collection.insert(articles(10, 5)); }).code == Errc::poisoned);
        CHECK(raised([&] { collection.checkpoint(); }).code == Errc::poisoned);
        CHECK(difference(collection, 10) == "");
    }
    Collection<Articles> collection(path);
    collection.insert(articles(10, 5));
    CHECK(difference(collection, 15) == "");
}
