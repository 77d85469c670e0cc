// tests/storage/log_test.cpp — the log gives back what was acknowledged, whatever befalls its last bytes.
#include "kith/core/crc32c.hpp"
#include "kith/storage/log_format.hpp"
#include "kith/storage/log_reader.hpp"
#include "kith/storage/log_writer.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <sys/resource.h>
#include <algorithm>
#include <cerrno>
#include <vector>

using kith::Errc;
using kith::detail::CollectionId;
using kith::detail::log_file_name;
using kith::detail::log_header_bytes;
using kith::detail::log_record_header_bytes;
using kith::detail::LogWriter;
using kith::detail::ReplayMode;
using kith::detail::ReplayResult;
using kith_test::bytes_of;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::flipped;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

constexpr CollectionId id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct Replayed {
    std::vector<std::string> payloads;
    ReplayResult result;
    Raised trouble;
};

Replayed replay(const std::filesystem::path& log, ReplayMode mode = ReplayMode::recover, std::uint64_t after = 0) {
    Replayed replayed;
    replayed.trouble = raised([&] {
        std::uint64_t expected = after;
        replayed.result = kith::detail::replay_log(
            log, id, after,
            [&](std::uint64_t sequence, std::uint8_t kind, std::string_view payload) {
                REQUIRE(sequence == ++expected);
                REQUIRE(kind == 7);
                replayed.payloads.emplace_back(payload);
            },
            mode);
    });
    return replayed;
}

void append_all(LogWriter& writer, const std::vector<std::string>& payloads) {
    for (const std::string& payload : payloads) {
        writer.append(7, payload);
        writer.sync();
    }
}

// Whether `found` is the first part of `all`.
bool is_prefix(const std::vector<std::string>& found, const std::vector<std::string>& all) {
    return found.size() <= all.size() && std::equal(found.begin(), found.end(), all.begin());
}

const std::vector<std::string> five{"one", std::string(40, 't'), "", std::string("f\0ur", 4), "the fifth record"};

// After a recovery, what is written next must be there after the next stop.
void check_life_goes_on(const std::filesystem::path& log, const Replayed& recovered) {
    std::vector<std::string> all = recovered.payloads;
    {
        LogWriter writer(log, id, recovered.result.last_sequence + 1);
        append_all(writer, {"later", "and later still"});
    }
    all.insert(all.end(), {"later", "and later still"});
    const Replayed again = replay(log);
    REQUIRE(again.trouble.text.empty());
    REQUIRE(again.payloads == all);
    REQUIRE_FALSE(again.result.torn_tail.has_value());
}

std::string five_in_a_file(const TemporaryDirectory& log) {
    LogWriter writer(log.path(), id, 1);
    append_all(writer, five);
    return bytes_of(log / log_file_name(1));
}

}  // namespace

TEST_CASE("A log gives back its records in order, over files and restarts") {
    const TemporaryDirectory log;
    std::vector<std::string> all;
    std::uint64_t next = 1;
    for (int start = 0; start < 4; ++start) {
        LogWriter writer(log.path(), id, next);
        for (int record = 0; record < 5; ++record) {
            all.push_back(std::string(static_cast<std::size_t>(record * 17), 'x') + std::to_string(all.size()));
            CHECK(writer.append(7, all.back()) == all.size());
            if (record == 2) writer.rotate();
        }
        writer.sync();
        CHECK(writer.durable_sequence() == all.size());
        const Replayed replayed = replay(log.path());
        CHECK(replayed.payloads == all);
        CHECK(replayed.result.records == all.size());
        CHECK(replayed.result.last_sequence == all.size());
        next = replayed.result.last_sequence + 1;
    }
    const Replayed tail = replay(log.path(), ReplayMode::read_only, 13);
    CHECK(tail.payloads == std::vector<std::string>(all.begin() + 13, all.end()));
    CHECK(replay(log.path(), ReplayMode::read_only, all.size()).payloads.empty());
}

TEST_CASE("A log that was opened many times without a write stays one file") {
    const TemporaryDirectory log;
    for (int start = 0; start < 3; ++start) {
        const LogWriter writer(log.path(), id, 1);
        CHECK(writer.bytes() == log_header_bytes);
    }
    CHECK(kith::detail::list_log_files(log.path()).size() == 1);
    CHECK(replay(log.path()).payloads.empty());
}

TEST_CASE("A writer refuses to begin where records stand already") {
    const TemporaryDirectory log;
    five_in_a_file(log);
    CHECK(raised([&] { LogWriter(log.path(), id, 1); }).code == Errc::corrupt);
    CHECK(replay(log.path()).payloads == five);
}

TEST_CASE("A log cut at any byte gives a prefix, reports the tail, and takes later records") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory original;
    const std::string whole = five_in_a_file(original);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const TemporaryDirectory log;
        const auto file = log / log_file_name(1);
        set_bytes(file, whole.substr(0, length));

        const Replayed looked = replay(log.path(), ReplayMode::read_only);
        REQUIRE(bytes_of(file).size() == length);
        const Replayed recovered = replay(log.path());
        REQUIRE(recovered.payloads == looked.payloads);
        REQUIRE(is_prefix(recovered.payloads, five));
        if (length < log_header_bytes) {  // the header was whole before the file had its name
            REQUIRE(recovered.trouble.code == Errc::corrupt);
            REQUIRE(recovered.trouble.says(file.string()));
            REQUIRE(recovered.trouble.says("byte " + std::to_string(length)));
            continue;
        }
        REQUIRE_FALSE(recovered.trouble.code.has_value());
        const auto& tail = recovered.result.torn_tail;
        if (tail.has_value()) {
            REQUIRE(tail->file == file.string());
            REQUIRE(tail->offset + tail->bytes == length);
            REQUIRE(bytes_of(file).size() == tail->offset);
        }
        std::size_t records_end = log_header_bytes;
        for (const std::string& payload : recovered.payloads) records_end += log_record_header_bytes + payload.size();
        REQUIRE(tail.has_value() == (records_end != length));
        check_life_goes_on(log.path(), recovered);
    }
}

TEST_CASE("A log flipped at any byte gives an error, or a reported prefix when nothing vouches for the last record") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory original;
    const std::string whole = five_in_a_file(original);
    const std::size_t last_record = whole.size() - log_record_header_bytes - five.back().size();
    for (std::size_t offset = 0; offset < whole.size(); ++offset) {
        for (const unsigned bits : {0x01U, 0x80U, 0xffU}) {
            const TemporaryDirectory log;
            const auto file = log / log_file_name(1);
            set_bytes(file, flipped(whole, offset, bits));

            const Replayed recovered = replay(log.path());
            REQUIRE(is_prefix(recovered.payloads, five));
            if (offset < last_record) {
                REQUIRE(recovered.trouble.code == Errc::corrupt);
                REQUIRE(recovered.trouble.says(file.string()));
                REQUIRE(recovered.trouble.says("byte "));
                REQUIRE(bytes_of(file) == flipped(whole, offset, bits));
            } else {
                REQUIRE_FALSE(recovered.trouble.code.has_value());
                REQUIRE(recovered.payloads.size() == 4);
                REQUIRE(recovered.result.torn_tail.has_value());
                REQUIRE(recovered.result.torn_tail->offset == last_record);
                check_life_goes_on(log.path(), recovered);
            }
        }
    }
}

TEST_CASE("A damaged last record is an error once a later file vouches for it") {
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        append_all(writer, five);
        writer.rotate();
    }
    const auto file = log / log_file_name(1);
    const std::string whole = bytes_of(file);
    for (std::size_t offset = 0; offset < whole.size(); ++offset) {
        set_bytes(file, flipped(whole, offset));
        const Replayed replayed = replay(log.path());
        REQUIRE(replayed.trouble.code == Errc::corrupt);
        REQUIRE(replayed.trouble.says(file.string()));
        REQUIRE(is_prefix(replayed.payloads, five));
    }
    for (std::size_t length = 0; length < whole.size(); ++length) {
        set_bytes(file, whole.substr(0, length));
        REQUIRE(replay(log.path()).trouble.code == Errc::corrupt);
    }
}

TEST_CASE("A hole that a power cut left in records no sync had covered is a torn tail, not damage") {
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        append_all(writer, {"durable"});
        for (const char* payload : {"lost", "kept by chance", "kept by chance too"}) writer.append(7, payload);
    }
    const auto file = log / log_file_name(1);
    std::string bytes = bytes_of(file);
    const std::size_t lost = log_header_bytes + log_record_header_bytes + 7;
    for (std::size_t i = 0; i < log_record_header_bytes + 4; ++i) bytes[lost + i] = '\0';
    set_bytes(file, bytes);

    const Replayed recovered = replay(log.path());
    CHECK_FALSE(recovered.trouble.code.has_value());
    CHECK(recovered.payloads == std::vector<std::string>{"durable"});
    REQUIRE(recovered.result.torn_tail.has_value());
    CHECK(recovered.result.torn_tail->bytes == bytes.size() - lost);
    check_life_goes_on(log.path(), recovered);
}

TEST_CASE("Zeros and garbage after the last record are a torn tail") {
    for (const std::string& tail : {std::string(1, '\0'), std::string(5000, '\0'), std::string(700, '\xa5')}) {
        const TemporaryDirectory log;
        const std::string whole = five_in_a_file(log);
        set_bytes(log / log_file_name(1), whole + tail);
        const Replayed recovered = replay(log.path());
        CHECK(recovered.payloads == five);
        REQUIRE(recovered.result.torn_tail.has_value());
        CHECK(recovered.result.torn_tail->offset == whole.size());
        CHECK(recovered.result.torn_tail->bytes == tail.size());
        check_life_goes_on(log.path(), recovered);
    }
}

TEST_CASE("The report says whether the torn record had all its bytes") {
    const TemporaryDirectory log;
    const std::string whole = five_in_a_file(log);
    set_bytes(log / log_file_name(1), whole.substr(0, whole.size() - 1));
    CHECK_FALSE(replay(log.path(), ReplayMode::read_only).result.torn_tail->whole);
    set_bytes(log / log_file_name(1), flipped(whole, whole.size() - 1));
    CHECK(replay(log.path(), ReplayMode::read_only).result.torn_tail->whole);
}

TEST_CASE("Missing files and files of other logs are errors that name them") {
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        for (int file = 0; file < 3; ++file) {
            writer.append(7, "x");
            writer.rotate();
        }
    }
    const std::string second = bytes_of(log / log_file_name(2));
    const auto expect_corrupt = [&](const std::string& words) {
        const Replayed replayed = replay(log.path());
        CHECK(replayed.trouble.code == Errc::corrupt);
        CHECK(replayed.trouble.says(words));
    };
    std::filesystem::remove(log / log_file_name(2));
    expect_corrupt("record 2 is missing");
    CHECK(replay(log.path(), ReplayMode::recover, 2).payloads.size() == 1);  // nothing that is needed is gone

    set_bytes(log / log_file_name(2), bytes_of(log / log_file_name(3)));
    expect_corrupt("not what its name says");
    CollectionId other = id;
    other[0] = 99;
    const TemporaryDirectory elsewhere;
    {
        LogWriter writer(elsewhere.path(), other, 2);
        writer.append(7, "x");
    }
    set_bytes(log / log_file_name(2), bytes_of(elsewhere / log_file_name(2)));
    expect_corrupt("another collection");
    set_bytes(log / log_file_name(2), second);
    CHECK(replay(log.path()).payloads.size() == 3);

    std::filesystem::remove(log / log_file_name(1));
    expect_corrupt("record 1 is missing");
    const TemporaryDirectory empty;
    CHECK(replay(empty.path()).trouble.says("the log is missing"));
}

TEST_CASE("A log of a later format is refused by its number") {
    const TemporaryDirectory log;
    std::string bytes = five_in_a_file(log);
    std::string header = bytes.substr(0, log_header_bytes - 4);
    header[8] = 9;
    const std::uint32_t crc = kith::crc32c(header);
    for (unsigned byte = 0; byte < 4; ++byte) header += static_cast<char>(crc >> (8 * byte));
    set_bytes(log / log_file_name(1), header + bytes.substr(log_header_bytes));
    const Replayed replayed = replay(log.path());
    CHECK(replayed.trouble.code == Errc::unsupported_version);
    CHECK(replayed.trouble.says("log format 9, this build reads 1"));
}

TEST_CASE("Old files go when a checkpoint holds their records, and the rest is still whole") {
    const TemporaryDirectory log;
    LogWriter writer(log.path(), id, 1);
    for (int record = 1; record <= 9; ++record) {
        writer.append(7, std::to_string(record));
        if (record % 3 == 0) writer.rotate();
    }
    const std::uint64_t all = writer.bytes();
    for (const auto& file : writer.release_files_before(6)) std::filesystem::remove(file);
    CHECK(kith::detail::list_log_files(log.path()).size() == 3);
    CHECK(writer.bytes() < all);
    CHECK(replay(log.path(), ReplayMode::read_only, 5).payloads == std::vector<std::string>{"6", "7", "8", "9"});
    for (const auto& file : writer.release_files_before(100)) std::filesystem::remove(file);
    CHECK(kith::detail::list_log_files(log.path()).size() == 1);
    CHECK(writer.bytes() == log_header_bytes);
    CHECK(replay(log.path(), ReplayMode::read_only, 9).result.last_sequence == 9);
}

TEST_CASE("A checkpoint may be ahead of a log whose end a power cut took") {
    const TemporaryDirectory log;
    five_in_a_file(log);
    const Replayed recovered = replay(log.path(), ReplayMode::recover, 8);
    CHECK(recovered.payloads.empty());
    CHECK(recovered.result.last_sequence == 8);
    {
        LogWriter writer(log.path(), id, 9);
        append_all(writer, {"nine"});
    }
    CHECK(replay(log.path(), ReplayMode::recover, 8).payloads == std::vector<std::string>{"nine"});
}

TEST_CASE("A record past the limit is refused and the log goes on") {
    const TemporaryDirectory log;
    LogWriter writer(log.path(), id, 1);
    const std::string_view too_long("", std::size_t{kith::detail::max_log_payload} + 1);
    CHECK(raised([&] { writer.append(7, too_long); }).code == Errc::limit_exceeded);
    append_all(writer, five);
    CHECK(replay(log.path(), ReplayMode::read_only).payloads == five);
}

TEST_CASE("A failed append leaves no trace and the next one succeeds") {
    if (!FileFaults::work()) return;
    for (const int error : {ENOSPC, EDQUOT, EIO}) {
        const TemporaryDirectory log;
        LogWriter writer(log.path(), id, 1);
        append_all(writer, five);
        {
            const FileFaults faults(FileCall::write, 1, error);
            const Raised trouble = raised([&] { writer.append(7, "lost"); });
            CHECK(trouble.code == (error == EIO ? Errc::io : Errc::disk_full));
            CHECK(trouble.says(log_file_name(1)));
        }
        CHECK(writer.append(7, "six") == 6);
        std::vector<std::string> all = five;
        all.emplace_back("six");
        CHECK(replay(log.path(), ReplayMode::read_only).payloads == all);
    }
}

TEST_CASE("Short and interrupted writes are carried on") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory log;
    {
        const FileFaults faults = FileFaults::short_writes(3);
        LogWriter writer(log.path(), id, 1);
        append_all(writer, five);
    }
    CHECK(replay(log.path()).payloads == five);
}

TEST_CASE("A half record that cannot be cut off poisons the writer; recovery cuts it") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        append_all(writer, five);
        {
            const FileFaults faults(FileCall::truncate, 1, EIO);
            struct rlimit before = {};
            REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
            struct rlimit tight = before;
            tight.rlim_cur = writer.bytes() + 30;
            REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
            const Raised trouble = raised([&] { writer.append(7, std::string(200, 'h')); });
            REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
            CHECK(trouble.code == Errc::disk_full);
        }
        CHECK(writer.poisoned());
        CHECK(raised([&] { writer.append(7, "x"); }).code == Errc::poisoned);
        CHECK(raised([&] { writer.sync(); }).code == Errc::poisoned);
    }
    const Replayed recovered = replay(log.path());
    CHECK(recovered.payloads == five);
    CHECK(recovered.result.torn_tail->bytes == 30);
    check_life_goes_on(log.path(), recovered);
}

TEST_CASE("A file size limit is an error, not a signal, and what was written stays") {
    const TemporaryDirectory log;
    LogWriter writer(log.path(), id, 1);
    append_all(writer, five);
    struct rlimit before = {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit tight = before;
    tight.rlim_cur = writer.bytes() + 10;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const Raised trouble = raised([&] { writer.append(7, std::string(200, 'h')); });
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(trouble.code == Errc::disk_full);
    CHECK_FALSE(writer.poisoned());
    CHECK(writer.append(7, "six") == 6);
    writer.sync();
    CHECK(replay(log.path(), ReplayMode::read_only).payloads.size() == 6);
}

TEST_CASE("A failed sync poisons the writer until the collection is opened again") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        append_all(writer, five);
        writer.append(7, "six");
        {
            const FileFaults faults(FileCall::sync, 1, EIO);
            CHECK(raised([&] { writer.sync(); }).code == Errc::io);
        }
        CHECK(raised([&] { writer.sync(); }).code == Errc::poisoned);
        CHECK(raised([&] { writer.append(7, "seven"); }).code == Errc::poisoned);
        CHECK(writer.durable_sequence() == 5);
    }
    check_life_goes_on(log.path(), replay(log.path()));
}

TEST_CASE("A rotation that fails anywhere keeps every record and never confuses the reader") {
    if (!FileFaults::work()) return;
    for (const FileCall call : {FileCall::write, FileCall::sync, FileCall::rename}) {
        for (int nth = 1; nth <= 4; ++nth) {
            const TemporaryDirectory log;
            std::vector<std::string> all = five;
            {
                LogWriter writer(log.path(), id, 1);
                append_all(writer, five);
                {
                    const FileFaults faults(call, nth, ENOSPC);
                    static_cast<void>(raised([&] { writer.rotate(); }));
                }
                const Raised trouble = raised([&] { append_all(writer, {"six"}); });
                if (!trouble.code.has_value()) all.emplace_back("six");
                CHECK(trouble.code.value_or(Errc::poisoned) == Errc::poisoned);
            }
            const Replayed recovered = replay(log.path());
            CHECK(recovered.trouble.text.empty());
            CHECK(recovered.payloads == all);
            check_life_goes_on(log.path(), recovered);
        }
    }
}

TEST_CASE("Recovery removes the file that was never finished and names it; reading does not") {
    const TemporaryDirectory log;
    five_in_a_file(log);
    const auto leftover = log / (log_file_name(6) + ".tmp");
    set_bytes(leftover, "half a header");
    CHECK(replay(log.path(), ReplayMode::read_only).result.removed_files.empty());
    CHECK(std::filesystem::exists(leftover));
    CHECK(replay(log.path()).result.removed_files == std::vector<std::string>{leftover.string()});
    CHECK_FALSE(std::filesystem::exists(leftover));
}

TEST_CASE("What a visitor raises ends the replay and changes nothing") {
    const TemporaryDirectory log;
    const std::string whole = five_in_a_file(log);
    set_bytes(log / log_file_name(1), whole + "torn");
    const Raised trouble = raised([&] {
        kith::detail::replay_log(
            log.path(), id, 0,
            [](std::uint64_t, std::uint8_t, std::string_view) { kith::raise(Errc::invalid_argument, "stop"); },
            ReplayMode::recover);
    });
    CHECK(trouble.code == Errc::invalid_argument);
    CHECK(bytes_of(log / log_file_name(1)) == whole + "torn");
}
