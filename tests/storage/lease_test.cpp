// tests/storage/lease_test.cpp — a folder in use is not removed, one in nobody's use is, and nobody waits.
#include "kith/storage/lease.hpp"

#include "support/catch.hpp"
#include "support/other_process.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <unistd.h>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

using kith::Errc;
using kith::detail::FolderLease;
using kith::detail::FolderRetirement;
using kith::detail::lease_folders;
using kith::detail::SharedLease;
using kith::detail::try_retire;
using kith_test::OtherProcess;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

bool retires(const fs::path& folder) {
    return try_retire(folder).has_value();
}

fs::path make(const fs::path& folder) {
    fs::create_directory(folder);
    return folder;
}

}  // namespace

TEST_CASE("A folder is retired once the last lease is gone, and then cannot be leased") {
    const TemporaryDirectory directory;
    const fs::path folder = make(directory / "1");
    std::optional<FolderLease> first = FolderLease::take(folder);
    std::optional<FolderLease> second = FolderLease::take(folder);
    REQUIRE((first.has_value() && second.has_value()));
    CHECK_FALSE(retires(folder));
    first.reset();
    CHECK_FALSE(retires(folder));
    second.reset();
    {
        const std::optional<FolderRetirement> retirement = try_retire(folder);
        REQUIRE(retirement.has_value());
        CHECK_FALSE(FolderLease::take(folder).has_value());
        CHECK_FALSE(retires(folder));
        fs::remove(folder);
        CHECK_FALSE(FolderLease::take(folder).has_value());
    }
    CHECK(retires(folder));  // it is gone: nothing keeps anyone from forgetting it
    CHECK_FALSE(FolderLease::take(folder).has_value());
}

TEST_CASE("A lease works where nothing can be written, and trouble names the folder") {
    const TemporaryDirectory directory;
    const fs::path folder = make(directory / "1");
    fs::permissions(folder, fs::perms(0555));
    fs::permissions(directory.path(), fs::perms(0555));
    OtherProcess reader([&](OtherProcess::Line&) {
        if (::geteuid() == 0 && ::setuid(65534) != 0) return 0;
        return FolderLease::take(folder).has_value() ? 0 : 1;
    });
    CHECK(reader.wait() == 0);
    fs::permissions(directory.path(), fs::perms(0755));
    fs::create_symlink("loop", directory / "loop");
    const Raised trouble = raised([&] { static_cast<void>(FolderLease::take(directory / "loop")); });
    CHECK(trouble.code == Errc::io);
    CHECK(trouble.says("loop"));
}

TEST_CASE("Leases of other processes count, and die with them") {
    const TemporaryDirectory directory;
    const fs::path folder = make(directory / "1");
    OtherProcess reader([&](OtherProcess::Line& line) {
        const std::optional<FolderLease> lease = FolderLease::take(folder);
        line.report();
        line.wait_for_stop();
        return 0;
    });
    reader.await_report();
    CHECK_FALSE(retires(folder));
    reader.kill();
    CHECK(retires(folder));

    OtherProcess writer([&](OtherProcess::Line& line) {
        const std::optional<FolderRetirement> retirement = try_retire(folder);
        line.report();
        line.wait_for_stop();
        return 0;
    });
    writer.await_report();
    CHECK_FALSE(FolderLease::take(folder).has_value());
    writer.kill();
    CHECK(FolderLease::take(folder).has_value());
}

TEST_CASE("A reader leases what the state names, and looks again when it changed meanwhile") {
    const TemporaryDirectory directory;
    const std::vector<fs::path> old_names{make(directory / "1"), make(directory / "2")};
    const std::vector<fs::path> new_names{make(directory / "3")};
    int reads = 0;
    // The writer merges 1 and 2 into 3, and removes them, after the reader read the state for the first time.
    const auto read_state = [&] {
        if (++reads == 1) return old_names;
        if (reads == 2) {
            for (const fs::path& folder : old_names) {
                if (retires(folder)) fs::remove(folder);
            }
        }
        return new_names;
    };
    const std::vector<SharedLease> leases = lease_folders(read_state, {});
    CHECK(reads == 3);
    REQUIRE(leases.size() == 1);
    CHECK(leases[0]->folder() == new_names[0]);
    CHECK_FALSE(retires(new_names[0]));
    // Those that were leased when the state changed were kept from going; nobody keeps them any more.
    CHECK(fs::exists(old_names[0]));
    CHECK(retires(old_names[0]));
}

TEST_CASE("A folder that was removed before it was leased is nothing once the state does not name it") {
    const TemporaryDirectory directory;
    const fs::path kept = make(directory / "2");
    int reads = 0;
    const auto leases = lease_folders(
        [&] { return ++reads == 1 ? std::vector<fs::path>{directory / "1", kept} : std::vector<fs::path>{kept}; }, {});
    CHECK(leases.size() == 1);
    CHECK_FALSE(retires(kept));
}

TEST_CASE("Leases that are held already are taken over") {
    const TemporaryDirectory directory;
    const fs::path one = make(directory / "1");
    const fs::path two = make(directory / "2");
    const auto first = lease_folders([&] { return std::vector<fs::path>{one}; }, {});
    const auto second = lease_folders([&] { return std::vector<fs::path>{one, two}; }, first);
    REQUIRE(second.size() == 2);
    CHECK(second[0] == first[0]);
    CHECK(lease_folders([] { return std::vector<fs::path>(); }, second).empty());
}

TEST_CASE("A state that names what is not there is damage; one that never stands still is given up") {
    const TemporaryDirectory directory;
    const Raised missing =
        raised([&] { static_cast<void>(lease_folders([&] { return std::vector<fs::path>{directory / "7"}; }, {})); });
    CHECK(missing.code == Errc::corrupt);
    CHECK(missing.says((directory / "7").string() + " is missing"));
    int reads = 0;
    const Raised restless = raised([&] {
        static_cast<void>(
            lease_folders([&] { return std::vector<fs::path>{make(directory / std::to_string(++reads + 100))}; }, {}));
    });
    CHECK(restless.code == Errc::locked);
    CHECK(restless.says("try again"));
    CHECK(reads < 1000);
}
