// tests/storage/file_test.cpp — files appear whole or not at all, and errors say which file, what and why.
#include "kith/storage/file.hpp"

#include "kith/storage/mapped_file.hpp"
#include "kith/storage/segment_file.hpp"
#include "kith/storage/system_error.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <sys/mount.h>
#include <sys/resource.h>
#include <cerrno>
#include <csignal>

using kith::Errc;
using kith::detail::File;
using kith::detail::MappedFile;
using kith_test::bytes_of;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

TEST_CASE("A file is written and read at any offset and keeps its size") {
    const TemporaryDirectory directory;
    File file = File::create(directory / "f");
    file.write_at(5, "head", "body");
    file.write_at(0, "start");
    char bytes[100] = {};
    CHECK(file.read_at(0, bytes, sizeof(bytes)) == 13);
    CHECK(std::string_view(bytes, 13) == "startheadbody");
    CHECK(file.read_at(13, bytes, 1) == 0);
    file.truncate(7);
    file.sync();
    CHECK(file.size() == 7);
    File moved = std::move(file);
    CHECK(moved.size() == 7);
    CHECK(File::open_or_create(directory / "f").size() == 7);
    CHECK(File::create(directory / "f").size() == 0);
}

TEST_CASE("Errors of the system name path, operation and reason") {
    const TemporaryDirectory directory;
    const Raised missing = raised([&] { static_cast<void>(File::open_to_read(directory / "none")); });
    CHECK(missing.code == Errc::io);
    CHECK(missing.text == (directory / "none").string() + ": cannot open: No such file or directory");
    CHECK(raised([&] { static_cast<void>(File::create(directory / "no" / "f")); }).says("cannot create"));
    CHECK(raised([&] { MappedFile{directory.path()}; }).code == Errc::io);
    CHECK(kith::detail::errc_of(ENOSPC, directory.path()) == Errc::disk_full);
    CHECK(kith::detail::errc_of(EFBIG, directory.path()) == Errc::disk_full);
    CHECK(kith::detail::errc_of(EACCES, directory.path()) == Errc::io);
    set_bytes(directory / "big", std::string(11, 'x'));
    CHECK(raised([&] { static_cast<void>(kith::detail::read_whole_file(directory / "big", 10)); }).code ==
          Errc::limit_exceeded);
}

TEST_CASE("A durable file is the old one or the new one, whichever call fails") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    set_bytes(directory / "f", "old");
    for (const FileCall call : {FileCall::write, FileCall::sync, FileCall::rename}) {
        const FileFaults faults(call, 1, EIO);
        CHECK(raised([&] { kith::detail::write_file_durably(directory.path(), "f", "new"); }).code == Errc::io);
        CHECK(bytes_of(directory / "f") == "old");
        CHECK_FALSE(std::filesystem::exists(directory / "f.tmp"));
    }
    kith::detail::write_file_durably(directory.path(), "f", "new");
    CHECK(bytes_of(directory / "f") == "new");
    const FileFaults faults(FileCall::sync, 2, EIO);  // the directory's
    CHECK(raised([&] { kith::detail::write_file_durably(directory.path(), "f", "newer"); }).code == Errc::io);
    CHECK(bytes_of(directory / "f") == "newer");
}

TEST_CASE("A directory is renamed into place only where nothing is lost") {
    const TemporaryDirectory directory;
    CHECK(kith::detail::make_directory(directory / "a"));
    CHECK_FALSE(kith::detail::make_directory(directory / "a"));
    kith::detail::rename_durably(directory / "a", directory / "b");
    CHECK(std::filesystem::is_directory(directory / "b"));
    set_bytes(directory / "b" / "f", "x");
    kith::detail::make_directory(directory / "a");
    CHECK(raised([&] { kith::detail::rename_durably(directory / "a", directory / "b"); }).code == Errc::already_exists);
    CHECK(raised([&] { kith::detail::rename_durably(directory / "c", directory / "d"); }).code == Errc::io);
    CHECK(kith::detail::remove_file(directory / "b" / "f"));
    CHECK_FALSE(kith::detail::remove_file(directory / "b" / "f"));
}

TEST_CASE("A mapped file is its bytes; an empty one is empty") {
    const TemporaryDirectory directory;
    set_bytes(directory / "f", "mapped");
    set_bytes(directory / "empty", "");
    MappedFile file(directory / "f");
    CHECK(file.text() == "mapped");
    MappedFile moved = std::move(file);
    CHECK(moved.text() == "mapped");
    CHECK(file.bytes().empty());
    CHECK(MappedFile(directory / "empty").bytes().empty());
}

#if defined(__linux__)
TEST_CASE("A disk that is really full is called full, and is of use again when there is room") {
    const TemporaryDirectory directory;
    const auto disk = directory / "disk";
    kith::detail::make_directory(disk);
    if (::mount("none", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
        WARN("no right to mount a small disk here; the other tests of full disks stand alone");
        return;
    }
    const std::string big(2 << 20, 'x');
    const Raised trouble = raised([&] { kith::detail::write_file_durably(disk, "big", big); });
    const Raised segment = raised([&] {
        kith::detail::write_segment_file(disk / "segment", {},
                                         [&](const kith::ByteSink& sink) { sink(big.data(), big.size()); });
    });
    const bool clean = std::filesystem::is_empty(disk);
    const Raised small = raised([&] { kith::detail::write_file_durably(disk, "small", "fits"); });
    ::umount2(disk.c_str(), MNT_DETACH);
    CHECK(trouble.code == Errc::disk_full);
    CHECK(trouble.says("No space left on device"));
    CHECK(segment.code == Errc::disk_full);
    CHECK(clean);
    CHECK_FALSE(small.code.has_value());
}
#endif

TEST_CASE("The program's own handler of the file size signal is left alone") {
    static volatile std::sig_atomic_t caught = 0;
    const TemporaryDirectory directory;
    File file = File::create(directory / "f");
    const auto before_handler = std::signal(SIGXFSZ, [](int) { caught = caught + 1; });
    struct rlimit before = {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit tight = before;
    tight.rlim_cur = 10;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const Raised trouble = raised([&] { file.write_at(0, std::string(20, 'x')); });
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(trouble.code == Errc::disk_full);
    CHECK(caught == 0);
    std::raise(SIGXFSZ);
    CHECK(caught == 1);
    std::signal(SIGXFSZ, before_handler);
}
