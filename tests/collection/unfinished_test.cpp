// tests/collection/unfinished_test.cpp — what a process that died while it made a collection left beside it goes.
#include "article.hpp"

#include "support/catch.hpp"

#include "storage/flock.hpp"

#include <filesystem>
#include <fstream>
#include <string>

using kith::Collection;
using kith::OpenMode;
using kith::Options;
using kith::detail::File;
using kith_test::articles;
using kith_test::Articles;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

/// What an interrupted creation of `path` leaves: `letter` tells several apart.
fs::path leave_beside(const fs::path& path, char letter) {
    const fs::path left = path.string() + ".new-" + std::string(32, letter);
    fs::create_directories(left / "forward");
    fs::create_directories(left / "log");
    std::ofstream(left / "forward" / "data.mdb") << "half a page";
    return left;
}

}  // namespace

TEST_CASE("Who makes or opens a collection to write removes what interrupted creations left, and nothing else") {
    const TemporaryDirectory directory;
    const fs::path path = directory / "articles.kith";
    const fs::path left = leave_beside(path, 'a');
    const fs::path being_made = leave_beside(path, 'b');
    const File maker = File::open_to_read(being_made);
    REQUIRE(kith::detail::lock_now(maker, LOCK_EX));
    const fs::path others = leave_beside(directory / "other.kith", 'c');
    const fs::path users = path.string() + ".new-backup";
    fs::create_directories(users);
    const fs::path elsewhere = directory / "elsewhere";
    fs::create_directories(elsewhere / "kept");
    const fs::path link = path.string() + ".new-" + std::string(32, 'd');
    fs::create_directory_symlink(elsewhere, link);

    const auto stand = [&] {
        CHECK(fs::exists(being_made / "forward" / "data.mdb"));
        CHECK(fs::exists(others / "log"));
        CHECK(fs::exists(users));
        CHECK(fs::is_symlink(link));
        CHECK(fs::exists(elsewhere / "kept"));
    };
    Collection<Articles>(path).insert(articles(0, 3));
    CHECK_FALSE(fs::exists(left));
    stand();

    leave_beside(path, 'a');
    Options options;
    options.mode = OpenMode::read_only;
    CHECK(Collection<Articles>(path, options).size() == 3);
    CHECK(fs::exists(left));  // who only reads removes nothing
    options.mode = OpenMode::open;
    CHECK(Collection<Articles>(path, options).size() == 3);
    CHECK_FALSE(fs::exists(left));
    stand();
}

TEST_CASE("Nothing is left beside a collection that was made") {
    const TemporaryDirectory directory;
    Collection<Articles>(directory / "articles.kith").insert(articles(0, 3));
    std::size_t names = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(directory.path())) ++names;
    CHECK(names == 1);
}

TEST_CASE("What is left of a segment and cannot be removed yet is not said to be gone") {
    const TemporaryDirectory directory;
    const fs::path path = directory / "articles.kith";
    Collection<Articles>(path).insert(articles(0, 3));
    const fs::path left = path / "segments" / "0000000007.tmp";
    fs::create_directories(left);
    File held = File::open_to_read(left);
    REQUIRE(kith::detail::lock_now(held, LOCK_SH));
    CHECK(Collection<Articles>(path).recovery().removed_files.empty());
    CHECK(fs::exists(left));
    held = File();
    CHECK(Collection<Articles>(path).recovery().removed_files.size() == 1);
    CHECK_FALSE(fs::exists(left));
}
