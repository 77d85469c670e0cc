// src/storage/file_system.cpp — file systems by the number or the mark that the kernel gives them.
#include "kith/storage/file_system.hpp"

#include "kith/core/error.hpp"
#include "kith/storage/system_error.hpp"

#if defined(__linux__)
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif
#include <cerrno>
#include <cstdint>
#include <string>

namespace kith::inline v0::detail {

namespace {

#if defined(__linux__)

struct FileSystemName {
    std::uint32_t type;  // statfs.f_type
    const char* name;
};

// Those that are served by another machine, shared by several, or made by a program.
constexpr FileSystemName not_local[] = {
    {0x6969, "NFS"},           {0x517b, "SMB"},          {0xff534d42, "CIFS"}, {0xfe534d42, "SMB 2"},
    {0x01021997, "9p"},        {0x65735546, "FUSE"},     {0x5346414f, "AFS"},  {0x6b414653, "AFS"},
    {0x00c36400, "Ceph"},      {0x0bd00bd0, "Lustre"},   {0x73757245, "Coda"}, {0x564c, "NCP"},
    {0x01161970, "GFS2"},      {0x7461636f, "OCFS2"},    {0x47504653, "GPFS"}, {0xaad7aaea, "PanFS"},
    {0x19830326, "BeeGFS"},    {0x20030528, "OrangeFS"}, {0xbacbacbc, "HGFS"}, {0x786f4256, "VirtualBox's"},
    {0x7c7c6673, "Parallels'"}};

/// The name of a file system that is not this machine's, or nothing.
std::string remote_name(const struct statfs& found) {
    for (const FileSystemName& known : not_local) {
        if (static_cast<std::uint32_t>(found.f_type) == known.type) return known.name;
    }
    return {};
}

#else

std::string remote_name(const struct statfs& found) {
    return (found.f_flags & MNT_LOCAL) == 0 ? found.f_fstypename : "";
}

#endif

}  // namespace

void require_local(const std::filesystem::path& path) {
    struct statfs found = {};
    std::filesystem::path standing = path.empty() ? std::filesystem::path(".") : path;
    while (::statfs(standing.c_str(), &found) != 0) {
        if (errno == EINTR) continue;
        if (errno != ENOENT || standing == standing.parent_path()) raise_system(errno, "look at", path);
        standing = standing.parent_path();
        if (standing.empty()) standing = ".";
    }
    const std::string name = remote_name(found);
    if (name.empty()) return;
    raise(Errc::unsupported_file_system,
          path.string() + " lies on a file system (" + name +
              ") whose locks and memory maps cannot keep a collection whole; put it on a disk of this "
              "machine, or set Options::allow_network_filesystem if one process alone uses it");
}

}  // namespace kith::inline v0::detail
