// tests/collection/versions_test.cpp — other versions in every header, and LMDB's other format.
#include "essay.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/storage/environment.hpp"
#include "kith/storage/identity.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/segment_bytes.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using kith::OpenMode;
using kith_test::bytes_of;
using kith_test::copy_collection;
using kith_test::FileFaults;
using kith_test::make_essays;
using kith_test::number_of;
using kith_test::opened_and_judged;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t segment_header = 4096;  // see docs/format.md for this and the offsets below

std::uint32_t number_in(std::string_view bytes, std::size_t offset) {
    std::uint32_t value = 0;
    REQUIRE(kith::ByteReader(bytes.substr(offset)).u32(value));
    return value;
}

/// A log file with another version, under a right checksum.
std::string log_with_version(std::string bytes, std::uint32_t version) {
    bytes.replace(8, 4, number_of(version));
    return bytes.replace(36, 4, number_of(kith::crc32c(std::string_view(bytes).substr(0, 36))));
}

/// A segment file with another version at `offset`, in its header or in its payload, under right checksums.
std::string segment_with_version(std::string bytes, std::size_t offset, std::uint32_t version) {
    return kith_test::with_right_checksums(bytes.replace(offset, 4, number_of(version)));
}

/// Where the payload of a segment file has versions: behind each of kith's magic words, by that word.
std::map<std::string, std::size_t> versions_in(std::string_view bytes) {
    std::map<std::string, std::size_t> found;
    for (std::size_t at = segment_header; at + 64 <= bytes.size(); at += 64) {
        if (bytes.substr(at, 4) == "kith") found.emplace(bytes.substr(at, 8), at + 8);
    }
    if (found.empty()) found.emplace("keys", segment_header);  // a key table has a version and no magic word
    return found;
}

/// A collection, and copies of it of which one version is another.
class Versions {
public:
    Versions() { make_essays(original()); }

    [[nodiscard]] fs::path original() const { return directory_ / "original.kith"; }
    [[nodiscard]] fs::path copy() const { return directory_ / "copy.kith"; }

    /// Checks that a copy after `change(copy, version)` is refused with both versions and the name of the file, and
    /// left alone.
    void expect(std::uint32_t known, const std::string& file,
                const std::function<void(const fs::path&, std::uint32_t)>& change) const {
        for (const std::uint32_t version : {known + 1, known + 1000, known - 1}) {
            copy_collection(original(), copy());
            change(copy(), version);
            const std::string before = bytes_of(copy() / file);
            for (const OpenMode mode : {OpenMode::read_only, OpenMode::open}) {
                const std::string said = opened_and_judged(copy(), mode);
                CAPTURE(file, version, said);
                CHECK(said.find("refused: unsupported_version") == 0);
                CHECK((said.find(fs::path(file).filename().string()) != std::string::npos ||
                       said.find(fs::path(file).replace_extension(".rows and .graph").string()) != std::string::npos));
                CHECK(said.find(" " + std::to_string(version)) != std::string::npos);
                CHECK(said.find(" " + std::to_string(known)) != std::string::npos);
            }
            CHECK(bytes_of(copy() / file) == before);
        }
    }

private:
    FileFaults quick_ = FileFaults::no_syncs();
    TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("Another version in the identity, the log or the state record is refused with both numbers") {
    const Versions versions;
    versions.expect(kith::detail::format_version, "IDENTITY", [](const fs::path& copy, std::uint32_t version) {
        kith::detail::Identity identity = kith::detail::read_identity(copy);
        identity.format = version;
        kith::detail::write_identity(copy, identity);
    });
    for (const auto& entry : fs::directory_iterator(versions.original() / "log")) {
        const fs::path name = fs::path("log") / entry.path().filename();
        const std::string whole = bytes_of(entry.path());
        versions.expect(number_in(whole, 8), name.string(), [&](const fs::path& copy, std::uint32_t version) {
            set_bytes(copy / name, log_with_version(whole, version));
        });
    }
    using kith::detail::Environment;
    using kith::detail::EnvironmentMode;
    std::string record;
    {
        const Environment environment(versions.original() / "forward", EnvironmentMode::read_only);
        record = environment.read().state("checkpoint").value();
    }
    versions.expect(number_in(record, 0), "forward/data.mdb", [&](const fs::path& copy, std::uint32_t version) {
        Environment environment(copy / "forward", EnvironmentMode::read_write);
        environment.write([&](kith::detail::WriteTransaction& changes) {
            changes.put_state("checkpoint", std::string(record).replace(0, 4, number_of(version)));
        });
    });
}

TEST_CASE("Another version in a segment's file, or in any image inside it, is refused with both numbers") {
    const Versions versions;
    std::map<std::string, int> words;
    for (const auto& entry : fs::recursive_directory_iterator(versions.original() / "segments")) {
        if (!entry.is_regular_file()) continue;
        const std::string whole = bytes_of(entry.path());
        const std::string name = entry.path().lexically_relative(versions.original()).string();
        std::map<std::string, std::size_t> places = versions_in(whole);
        for (const auto& [word, offset] : places) ++words[word];
        places["header"] = 8;
        for (const auto& [word, offset] : places) {
            const std::size_t at = offset;
            INFO(word);
            versions.expect(number_in(whole, at), name, [&](const fs::path& copy, std::uint32_t version) {
                set_bytes(copy / name, segment_with_version(whole, at, version));
            });
        }
    }
    for (const char* word : {"kithrows", "kithcurv", "kithhnsw", "kithcode", "kith_ivf", "keys"}) {
        INFO(word);
        CHECK(words[word] > 0);
    }
}

TEST_CASE("A collection of the other LMDB is refused by a precise sentence, and not touched") {
    const Versions versions;
    const fs::path data = fs::path("forward") / "data.mdb";
    const std::uint32_t engine = kith::detail::Environment::engine_format();
    copy_collection(versions.original(), versions.copy());
    const std::string whole = bytes_of(versions.copy() / data);
    if (engine == 1) {
        // LMDB 1.x has eight bytes more in the header of a page, so its magic number comes later.
        const std::string other = whole.substr(0, 16) + std::string(8, '\0') + whole.substr(16);
        set_bytes(versions.copy() / data, other);
        for (const OpenMode mode : {OpenMode::read_only, OpenMode::open}) {
            const std::string said = opened_and_judged(versions.copy(), mode);
            CHECK(said.find("refused: unsupported_version") == 0);
            CHECK(said.find("data.mdb was written by LMDB 1.x, this build has LMDB 0.9") != std::string::npos);
        }
        CHECK(bytes_of(versions.copy() / data) == other);
    }
    copy_collection(versions.original(), versions.copy());
    kith::detail::Identity identity = kith::detail::read_identity(versions.copy());
    identity.engine = 3 - engine;
    kith::detail::write_identity(versions.copy(), identity);
    const std::string said = opened_and_judged(versions.copy(), OpenMode::open);
    CAPTURE(said);
    CHECK(said.find("refused: unsupported_version") == 0);
    CHECK(said.find("LMDB file format " + std::to_string(3 - engine)) != std::string::npos);
    CHECK(bytes_of(versions.copy() / data) == whole);
}
