// tests/collection/unusual_files_test.cpp — files that cannot be opened: the error names path and reason, reading goes
// on where it can.
#include "essay.hpp"

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/file_faults.hpp"
#include "support/private_mount.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

using kith::OpenMode;
using kith_test::ChildSaid;
using kith_test::copy_collection;
using kith_test::FileFaults;
using kith_test::in_child_process;
using kith_test::make_essays;
using kith_test::opened_and_judged;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& collection) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(collection)) {
        if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(collection));
    }
    return files;
}

/// The file, or for those that LMDB and the log open under their folder's name, that.
bool names(const ChildSaid& said, const fs::path& file) {
    const bool by_folder = *file.begin() == "log" || *file.begin() == "forward";
    return said.says(by_folder ? file.begin()->string() : file.filename().string());
}

class Kept {
public:
    Kept() { make_essays(original()); }

    [[nodiscard]] fs::path original() const { return directory_ / "original.kith"; }
    [[nodiscard]] fs::path copy() const { return directory_ / "copy.kith"; }
    [[nodiscard]] const fs::path& folder() const { return directory_.path(); }
    void make_copy() const { copy_collection(original(), copy()); }

    [[nodiscard]] ChildSaid judge(OpenMode mode) const {
        return in_child_process([&] { return opened_and_judged(copy(), mode); });
    }

private:
    FileFaults quick_ = FileFaults::no_syncs();
    TemporaryDirectory directory_;
};

/// Gives up being root, for whom permissions do not count.
bool become_nobody() {
    constexpr ::uid_t nobody = 65534;
    return ::geteuid() != 0 || (::setgid(nobody) == 0 && ::setuid(nobody) == 0);
}

/// Lets everybody write below `path`.
void open_to_all(const fs::path& path) {
    ::chmod(path.c_str(), 0777);
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        ::chmod(entry.path().c_str(), entry.is_directory() ? 0777 : 0666);
    }
}

}  // namespace

TEST_CASE("A directory where a file should be is named, whichever file it is") {
    const Kept kept;
    for (const fs::path& file : files_of(kept.original())) {
        kept.make_copy();
        fs::remove(kept.copy() / file);
        fs::create_directory(kept.copy() / file);
        for (const OpenMode mode : {OpenMode::read_only, OpenMode::open}) {
            const ChildSaid said = kept.judge(mode);
            CAPTURE(file.string(), said.complaint);
            if (file == "LOCK" && said.complaint == "right") continue;  // a directory can be locked for reading, too
            CHECK(said.begins("refused: "));
            CHECK(names(said, file));
        }
    }
}

TEST_CASE("A file where a directory should be is named") {
    const Kept kept;
    for (const char* folder : {"log", "forward", "segments"}) {
        kept.make_copy();
        fs::remove_all(kept.copy() / folder);
        kith_test::set_bytes(kept.copy() / folder, "text");
        const ChildSaid said = kept.judge(OpenMode::open);
        CAPTURE(folder, said.complaint);
        CHECK(said.begins("refused: "));
        CHECK(said.says(folder));
    }
}

TEST_CASE("A loop of symbolic links is named, as the path and as any file") {
    const Kept kept;
    fs::create_symlink(kept.folder() / "loop.kith", kept.folder() / "loop.kith");
    for (const OpenMode mode : {OpenMode::read_only, OpenMode::open, OpenMode::create_or_open}) {
        const std::string said = opened_and_judged(kept.folder() / "loop.kith", mode);
        CAPTURE(said);
        CHECK(said.find("refused: ") == 0);
        CHECK(said.find("loop.kith") != std::string::npos);
        CHECK(said.find("ymbolic link") != std::string::npos);
    }
    for (const fs::path& file : files_of(kept.original())) {
        kept.make_copy();
        fs::remove(kept.copy() / file);
        fs::create_symlink(file.filename(), kept.copy() / file);
        const ChildSaid said = kept.judge(OpenMode::open);
        CAPTURE(file.string(), said.complaint);
        CHECK(said.begins("refused: "));
        CHECK(names(said, file));
    }
}

TEST_CASE("A file that may not be read is named with the reason") {
    const Kept kept;
    ::chmod(kept.folder().c_str(), 0777);
    for (const fs::path& file : files_of(kept.original())) {
        kept.make_copy();
        open_to_all(kept.copy());
        ::chmod((kept.copy() / file).c_str(), 0);
        const ChildSaid said = in_child_process([&]() -> std::string {
            if (!become_nobody()) return "cannot become nobody";
            return opened_and_judged(kept.copy(), OpenMode::open);
        });
        CAPTURE(file.string(), said.complaint);
        CHECK(said.begins("refused: io"));
        CHECK(names(said, file));
        CHECK(said.says("ermission denied"));
    }
}

TEST_CASE("A collection that may only be read opens read-only, and says why it opens no other way") {
    const Kept kept;
    kept.make_copy();
    ::chmod(kept.folder().c_str(), 0755);
    for (const auto& entry : fs::recursive_directory_iterator(kept.copy())) {
        ::chmod(entry.path().c_str(), entry.is_directory() ? 0555 : 0444);
    }
    ::chmod(kept.copy().c_str(), 0555);
    const auto judge = [&](OpenMode mode) {
        return in_child_process([&]() -> std::string {
            return become_nobody() ? opened_and_judged(kept.copy(), mode) : "cannot become nobody";
        });
    };
    CHECK(judge(OpenMode::read_only).complaint == "right");
    const ChildSaid said = judge(OpenMode::open);
    CAPTURE(said.complaint);
    CHECK(said.begins("refused: io"));
    CHECK(said.says("LOCK"));
    CHECK(said.says("ermission denied"));
    open_to_all(kept.copy());
}

TEST_CASE("A read-only file system opens read-only, and says why it opens no other way") {
    const Kept kept;
    kept.make_copy();
    const auto judge = [&](OpenMode mode, const fs::path& path) {
        return in_child_process([&]() -> std::string {
            if (!kith_test::mount_read_only(kept.folder())) return "no mount";
            return opened_and_judged(path, mode);
        });
    };
    if (judge(OpenMode::read_only, kept.copy()).complaint == "no mount") {
        WARN("left out: this system gives a process no mounts of its own");
        return;
    }
    CHECK(judge(OpenMode::read_only, kept.copy()).complaint == "right");
    fs::remove(kept.copy() / "LOCK");
    fs::remove(kept.copy() / "forward" / "lock.mdb");
    CHECK(judge(OpenMode::read_only, kept.copy()).complaint == "right");
    for (const char* name : {"copy.kith", "new.kith"}) {
        const ChildSaid said = judge(OpenMode::create_or_open, kept.folder() / name);
        CAPTURE(said.complaint);
        CHECK(said.begins("refused: io"));
        CHECK(said.says(name));
        CHECK(said.says("ead-only file system"));
    }
}

TEST_CASE("An immutable collection opens read-only, and says why it opens no other way") {
    const Kept kept;
    kept.make_copy();
    std::vector<fs::path> all{kept.copy()};
    for (const auto& entry : fs::recursive_directory_iterator(kept.copy())) all.push_back(entry.path());
    bool immutable = true;
    for (const fs::path& path : all) immutable = kith_test::make_immutable(path, true) && immutable;
    if (immutable) {
        CHECK(kept.judge(OpenMode::read_only).complaint == "right");
        const ChildSaid said = kept.judge(OpenMode::open);
        CHECK(said.begins("refused: io"));
        CHECK(said.says("LOCK"));
        CHECK(said.says("not permitted"));
    } else {
        WARN("left out: files here cannot be made immutable");
    }
    for (const fs::path& path : all) kith_test::make_immutable(path, false);
    if (immutable) CHECK(kept.judge(OpenMode::open).complaint == "right");
}
