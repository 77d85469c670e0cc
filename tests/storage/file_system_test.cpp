// tests/storage/file_system_test.cpp — a disk of this machine is taken, a network's is refused by its name.
#include "kith/storage/file_system.hpp"

#include "support/catch.hpp"
#include "support/file_system_type.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <string>
#include <utility>

using kith::Errc;
using kith::detail::require_local;
using kith_test::FileSystemType;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

TEST_CASE("File systems of this machine are taken, for what stands there and for what is to be made") {
    const TemporaryDirectory directory;
    for (const auto& path : {directory.path(), directory / "new.kith", directory / "not" / "there" / "yet"}) {
        CHECK_FALSE(raised([&] { require_local(path); }).code.has_value());
    }
    CHECK_FALSE(raised([] { require_local("no-such-name-here"); }).code.has_value());
    CHECK_FALSE(raised([] { require_local(""); }).code.has_value());
    if (!FileSystemType::works()) return;
    for (const std::uint32_t type : {0xef53U, 0x58465342U, 0x9123683eU, 0x01021994U, 0x794c7630U, 0x2fc12fc1U}) {
        const FileSystemType local(type);
        CHECK_FALSE(raised([&] { require_local(directory.path()); }).code.has_value());
    }
}

TEST_CASE("File systems of a network are refused, and the message names path, file system and the way out") {
    if (!FileSystemType::works()) return;
    const TemporaryDirectory directory;
    for (const auto& [type, name] : {std::pair{0x6969U, "NFS"},
                                     {0xff534d42U, "CIFS"},
                                     {0xfe534d42U, "SMB 2"},
                                     {0x517bU, "SMB"},
                                     {0x01021997U, "9p"},
                                     {0x65735546U, "FUSE"},
                                     {0x5346414fU, "AFS"},
                                     {0x00c36400U, "Ceph"},
                                     {0x0bd00bd0U, "Lustre"}}) {
        const FileSystemType remote(type);
        const Raised trouble = raised([&] { require_local(directory / "new.kith"); });
        CHECK(trouble.code == Errc::unsupported_file_system);
        CHECK(trouble.says((directory / "new.kith").string() + " lies on a file system (" + name + ")"));
        CHECK(trouble.says("Options::allow_network_filesystem"));
    }
}

TEST_CASE("Where nothing can be known of a file system, the reason is told") {
    const TemporaryDirectory directory;
    std::filesystem::create_symlink("loop", directory / "loop");
    const Raised trouble = raised([&] { require_local(directory / "loop"); });
    CHECK(trouble.code == Errc::io);
    CHECK(trouble.says("loop: cannot look at"));
}
