// tests/storage/identity_test.cpp — a collection knows itself, who holds it, and which of its slots are deleted.
#include "kith/storage/identity.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/random.hpp"
#include "kith/storage/delete_bitmap.hpp"
#include "kith/storage/lock.hpp"

#include "support/catch.hpp"
#include "support/other_process.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

using kith::Errc;
using kith::detail::DirectoryLock;
using kith::detail::Identity;
using kith::detail::LockKind;
using kith_test::bytes_of;
using kith_test::flipped;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

Identity some_identity() {
    Identity identity;
    identity.engine = 1;
    identity.id = kith::detail::make_collection_id();
    identity.fingerprint = 0x0123456789abcdef;
    identity.schema = "name:string key; year:i32";
    return identity;
}

Raised lock_trouble(const std::filesystem::path& directory, LockKind kind) {
    return raised([&] { DirectoryLock(directory, kind); });
}

// A process that holds a lock until it is told to let go, or is killed.
class Holder {
public:
    Holder(const std::filesystem::path& directory, LockKind kind) {
        int ready[2] = {};
        int done[2] = {};
        REQUIRE(::pipe(ready) == 0);
        REQUIRE(::pipe(done) == 0);
        process_ = ::fork();
        if (process_ == 0) {
            ::close(done[1]);
            char byte = 0;
            const Raised trouble = raised([&] {
                const DirectoryLock lock(directory, kind);
                static_cast<void>(!::write(ready[1], "r", 1));
                static_cast<void>(!::read(done[0], &byte, 1));
            });
            ::_exit(trouble.code.has_value() ? 1 : 0);
        }
        ::close(ready[1]);
        ::close(done[0]);
        char byte = 0;
        REQUIRE(::read(ready[0], &byte, 1) == 1);
        ::close(ready[0]);
        release_ = done[1];
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() { end(false); }

    void end(bool by_kill) {
        if (process_ == 0) return;
        if (by_kill) ::kill(process_, SIGKILL);
        ::close(release_);
        ::waitpid(process_, nullptr, 0);
        process_ = 0;
    }
    [[nodiscard]] pid_t process() const { return process_; }

private:
    pid_t process_ = 0;
    int release_ = -1;
};

}  // namespace

TEST_CASE("An identity comes back as it was written") {
    const TemporaryDirectory directory;
    const Identity written = some_identity();
    kith::detail::write_identity(directory.path(), written);
    const Identity read = kith::detail::read_identity(directory.path());
    CHECK(read.format == 1);
    CHECK(read.engine == written.engine);
    CHECK(read.id == written.id);
    CHECK(read.fingerprint == written.fingerprint);
    CHECK(read.schema == written.schema);
    CHECK(kith::detail::make_collection_id() != written.id);
    CHECK(kith::detail::to_text(written.id).size() == 32);
}

TEST_CASE("What is not a collection is told apart from one that is missing") {
    const TemporaryDirectory directory;
    const auto trouble = [](const std::filesystem::path& path) {
        return raised([&] { static_cast<void>(kith::detail::read_identity(path)); });
    };
    CHECK(trouble(directory / "none").code == Errc::not_found);
    CHECK(trouble(directory.path()).code == Errc::not_a_collection);
    CHECK(trouble(directory.path()).says("holds no IDENTITY"));
    set_bytes(directory / "file", "text");
    CHECK(trouble(directory / "file").code == Errc::not_a_collection);
    CHECK(trouble(directory / "file").says("is a file"));
    set_bytes(directory / "IDENTITY", "something else altogether, and long enough");
    CHECK(trouble(directory.path()).code == Errc::not_a_collection);
    CHECK(trouble(directory.path()).says((directory / "IDENTITY").string()));
    std::filesystem::remove(directory / "IDENTITY");
    std::filesystem::create_directory(directory / "IDENTITY");
    CHECK(trouble(directory.path()).code == Errc::io);
}

TEST_CASE("A later format is refused by its number, whatever follows") {
    const TemporaryDirectory directory;
    Identity later = some_identity();
    later.format = 3;
    set_bytes(directory / "IDENTITY", kith::detail::encode_identity(later) + "fields of the future");
    const Raised trouble = raised([&] { static_cast<void>(kith::detail::read_identity(directory.path())); });
    CHECK(trouble.code == Errc::unsupported_version);
    CHECK(trouble.says("was written by format 3, this build reads 1"));
}

TEST_CASE("An identity cut or flipped at any byte is refused with file and offset") {
    const TemporaryDirectory directory;
    const auto file = directory / "IDENTITY";
    const std::string whole = kith::detail::encode_identity(some_identity());
    const auto expect = [&](const std::string& bytes, bool in_magic) {
        set_bytes(file, bytes);
        const Raised trouble = raised([&] { static_cast<void>(kith::detail::read_identity(directory.path())); });
        REQUIRE(trouble.code == (in_magic ? Errc::not_a_collection : Errc::corrupt));
        REQUIRE(trouble.says(file.string()));
        REQUIRE(trouble.says("byte "));
    };
    for (std::size_t offset = 0; offset < whole.size(); ++offset) expect(flipped(whole, offset), offset < 8);
    for (std::size_t length = 0; length < whole.size(); ++length) expect(whole.substr(0, length), false);
    expect(whole + '\0', false);
}

TEST_CASE("A schema past the limit is refused before anything is written") {
    const TemporaryDirectory directory;
    Identity identity = some_identity();
    identity.schema.assign(kith::detail::max_schema_bytes + 1, 's');
    CHECK(raised([&] { kith::detail::write_identity(directory.path(), identity); }).code == Errc::limit_exceeded);
    CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("A second writer is refused with the number, host and time of the first") {
    const TemporaryDirectory directory;
    Holder holder(directory.path(), LockKind::exclusive);
    for (const LockKind kind : {LockKind::exclusive, LockKind::shared}) {
        const Raised trouble = lock_trouble(directory.path(), kind);
        CHECK(trouble.code == Errc::locked);
        CHECK(trouble.says(directory.path().string() + " is open for writing by process " +
                           std::to_string(holder.process()) + " on "));
        CHECK(trouble.says(" since 20"));
    }
    holder.end(false);
    CHECK_FALSE(lock_trouble(directory.path(), LockKind::exclusive).code.has_value());
}

TEST_CASE("The lock of a killed process is free at once") {
    const TemporaryDirectory directory;
    Holder holder(directory.path(), LockKind::exclusive);
    holder.end(true);
    CHECK_FALSE(bytes_of(directory / "LOCK").empty());  // it could not clean up
    CHECK_FALSE(lock_trouble(directory.path(), LockKind::exclusive).code.has_value());
    CHECK(bytes_of(directory / "LOCK").empty());
}

TEST_CASE("A lock that outlives its process in a child is told from one whose process lives") {
    const TemporaryDirectory directory;
    kith_test::OtherProcess child_of_the_dead([&](kith_test::OtherProcess::Line& line) {
        const pid_t writer = ::fork();
        if (writer == 0) {
            const DirectoryLock lock(directory.path(), LockKind::exclusive);
            const pid_t forked = ::fork();
            if (forked == 0) line.wait_for_stop();
            ::_exit(0);
        }
        ::waitpid(writer, nullptr, 0);
        line.report(writer);
        line.wait_for_stop();
        return 0;
    });
    const auto writer = std::to_string(child_of_the_dead.await_report());
    const Raised trouble = lock_trouble(directory.path(), LockKind::exclusive);
    CHECK(trouble.code == Errc::locked);
    CHECK(trouble.says("by process " + writer + " on "));
    CHECK(trouble.says("it is dead, and one it forked lives"));
    CHECK(child_of_the_dead.stop() == 0);
}

TEST_CASE("Readers that cannot tell what they read share the lock and keep a writer out") {
    const TemporaryDirectory directory;
    const Holder first(directory.path(), LockKind::shared);
    const Holder second(directory.path(), LockKind::shared);
    CHECK_FALSE(lock_trouble(directory.path(), LockKind::shared).code.has_value());
    const Raised trouble = lock_trouble(directory.path(), LockKind::exclusive);
    CHECK(trouble.code == Errc::locked);
    CHECK(trouble.says("is open for reading by another process"));
}

TEST_CASE("A second handle in the same process is refused, and says that it is the same") {
    const TemporaryDirectory directory;
    DirectoryLock lock(directory.path(), LockKind::exclusive);
    CHECK(lock_trouble(directory.path(), LockKind::exclusive).says("by this process, " + std::to_string(::getpid())));
    DirectoryLock moved = std::move(lock);
    CHECK(lock_trouble(directory.path(), LockKind::shared).code == Errc::locked);
    moved = DirectoryLock();
    CHECK_FALSE(lock_trouble(directory.path(), LockKind::exclusive).code.has_value());
}

TEST_CASE("A child that drops its copy of a lock does not release its parent's") {
    const TemporaryDirectory directory;
    DirectoryLock lock(directory.path(), LockKind::exclusive);
    const pid_t child = ::fork();
    if (child == 0) {
        lock = DirectoryLock();
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    CHECK(lock_trouble(directory.path(), LockKind::exclusive).says("by this process"));
}

TEST_CASE("A reader needs no LOCK file where none can be made") {
    const TemporaryDirectory directory;
    const auto status = [&] {
        const pid_t child = ::fork();
        if (child == 0) {
            if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(0);
            const bool reads = !lock_trouble(directory.path(), LockKind::shared).code.has_value();
            const bool writes = lock_trouble(directory.path(), LockKind::exclusive).code == Errc::io;
            ::_exit(reads && writes ? 0 : 1);
        }
        int result = 0;
        ::waitpid(child, &result, 0);
        return result;
    };
    std::filesystem::permissions(directory.path(), std::filesystem::perms(0555));
    CHECK(status() == 0);
    std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
    set_bytes(directory / "LOCK", "");
    std::filesystem::permissions(directory / "LOCK", std::filesystem::perms(0444));
    CHECK(status() == 0);
}

TEST_CASE("A delete bitmap comes back bit for bit, sparse, dense or empty") {
    kith::SplitMix64 random(3);
    for (const unsigned bits : {0U, 1U, 63U, 64U, 65U, 1000U, 200'000U}) {
        for (const unsigned density : {0U, 1U, 50U, 99U, 100U}) {
            std::vector<std::uint64_t> words((bits + 63) / 64, 0);
            for (std::size_t bit = 0; bit < bits; ++bit) {
                if (random() % 100 < density) words[bit / 64] |= std::uint64_t{1} << (bit % 64);
            }
            const std::string bytes = kith::detail::encode_bitmap(words.data(), bits);
            std::vector<std::uint64_t> decoded(words.size(), ~std::uint64_t{0});
            kith::detail::decode_bitmap(bytes, decoded.data(), bits);
            REQUIRE(decoded == words);
            if (density == 100) {
                REQUIRE(bytes.size() < 100);
            }
        }
    }
    std::vector<std::uint64_t> past_the_end{~std::uint64_t{0}};
    kith::detail::decode_bitmap(kith::detail::encode_bitmap(past_the_end.data(), 10), past_the_end.data(), 10);
    CHECK(past_the_end[0] == 0x3ff);
    CHECK(kith::detail::encode_bitmap(nullptr, 10).size() < 40);
}

TEST_CASE("A delete bitmap flipped or cut at any byte is refused and leaves no bit set") {
    std::vector<std::uint64_t> words(40, 0x8000000100000001);
    const std::string whole = kith::detail::encode_bitmap(words.data(), 2500);
    const auto expect = [&](const std::string& bytes, std::size_t bits) {
        std::vector<std::uint64_t> decoded((bits + 63) / 64, ~std::uint64_t{0});
        const Raised trouble = raised([&] { kith::detail::decode_bitmap(bytes, decoded.data(), bits); });
        REQUIRE(trouble.code == Errc::corrupt);
        REQUIRE(trouble.says("delete bitmap is damaged at byte "));
        REQUIRE(decoded == std::vector<std::uint64_t>(decoded.size(), 0));
    };
    for (std::size_t offset = 0; offset < whole.size(); ++offset) expect(flipped(whole, offset), 2500);
    for (std::size_t length = 0; length < whole.size(); ++length) expect(whole.substr(0, length), 2500);
    expect(whole + '\0', 2500);
    expect(whole, 2499);
    expect(whole, 2501);
}

TEST_CASE("A delete bitmap with wrong bytes under a right checksum is refused or is another, and writes nowhere else") {
    constexpr std::size_t bits = 200'000, words = (bits + 63) / 64;
    std::vector<std::uint64_t> set(words, 0);
    for (std::size_t bit = 0; bit < 65536; bit += 2) set[bit / 64] |= std::uint64_t{1} << (bit % 64);  // words
    for (std::size_t bit = 65536; bit < 131072; bit += 999)
        set[bit / 64] |= std::uint64_t{1} << (bit % 64);                                                    // an array
    for (std::size_t bit = 140'000; bit < 190'000; ++bit) set[bit / 64] |= std::uint64_t{1} << (bit % 64);  // runs
    const std::string whole = kith::detail::encode_bitmap(set.data(), bits);
    std::vector<std::uint64_t> decoded(words + 2);
    int refused = 0;
    for (std::size_t offset = 16; offset < whole.size(); offset += offset < 100 || offset > 8200 ? 1 : 97) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            std::string bytes = flipped(whole, offset, bit);
            std::string crc;
            kith::ByteWriter(crc).u32(kith::crc32c(std::string_view(bytes).substr(4)));
            bytes.replace(0, 4, crc);
            std::fill(decoded.begin(), decoded.end(), ~std::uint64_t{0});
            const Raised trouble = raised([&] { kith::detail::decode_bitmap(bytes, decoded.data() + 1, bits); });
            refused += trouble.code.has_value() ? 1 : 0;
            REQUIRE((!trouble.code.has_value() || trouble.code == Errc::corrupt));
            REQUIRE((decoded.front() == ~std::uint64_t{0} && decoded.back() == ~std::uint64_t{0}));
        }
    }
    CHECK(refused > 1000);
}
