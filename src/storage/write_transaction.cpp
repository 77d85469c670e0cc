// src/storage/write_transaction.cpp — changes that are committed together, each value under its checksum.
#include "storage/environment_state.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/storage/system_error.hpp"

#include <cstring>
#include <string>
#include <utility>

namespace kith::inline v0::detail {

struct WriteTransaction::Impl {
    explicit Impl(EnvironmentState& environment) : state(environment), transaction(state.begin_writing()) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (transaction != nullptr && !state.broken) ::mdb_txn_abort(transaction);
    }

    static void check_key(Table table, std::string_view key) {
        if (key.empty()) raise(Errc::invalid_argument, "a key of no bytes cannot be stored");
        if (key.size() <= max_key_bytes) return;
        raise(Errc::limit_exceeded, printed_key(table, key.substr(0, 32)) + "… has " + std::to_string(key.size()) +
                                        " bytes; a key has at most " + std::to_string(max_key_bytes));
    }

    void put(Table table, std::string_view key, std::string_view value) {
        if (full) return;
        check_key(table, key);
        if (value.size() > max_row_bytes) {
            raise(Errc::limit_exceeded, printed_key(table, key) + " has " + std::to_string(value.size()) +
                                            " bytes; at most " + std::to_string(max_row_bytes) + " can be stored");
        }
        const bool in_order = table == rows && ascending;
        MDB_val place = {value.size() + value_checksum_bytes, nullptr};
        int code = reserve(table, key, place, in_order ? MDB_RESERVE | MDB_APPEND : MDB_RESERVE);
        if (code == MDB_KEYEXIST && in_order) {
            ascending = false;
            place = {value.size() + value_checksum_bytes, nullptr};
            code = reserve(table, key, place, MDB_RESERVE);
        }
        if (!kept(code)) return;
        auto* const bytes = static_cast<char*>(place.mv_data);
        if (!value.empty()) std::memcpy(bytes, value.data(), value.size());
        const std::uint32_t crc = little_endian(value_checksum(table, key, value));
        std::memcpy(bytes + value.size(), &crc, sizeof(crc));
    }

    void erase(Table table, std::string_view key) {
        if (full || key.empty() || key.size() > max_key_bytes) return;
        MDB_val name = view_of(key);
        const int code = ::mdb_del(transaction, state.tables[table], &name, nullptr);
        if (code != MDB_NOTFOUND) static_cast<void>(kept(code));
    }

    std::uint64_t erase_rows(std::uint64_t first, std::uint64_t last) {
        if (full) return 0;
        MDB_cursor* opened = nullptr;
        state.check(::mdb_cursor_open(transaction, state.tables[rows], &opened), "write");
        const Cursor cursor(opened);
        const RowKey from(first);
        MDB_val key = view_of(from.text());
        MDB_val value = {};
        std::uint64_t erased = 0;
        int code = ::mdb_cursor_get(opened, &key, &value, MDB_SET_RANGE);
        while (code == 0 && row_id(text_of(key)) <= last) {
            if (!kept(::mdb_cursor_del(opened, 0))) return erased;
            ++erased;
            code = ::mdb_cursor_get(opened, &key, &value, MDB_NEXT);  // the one that moved up
        }
        if (code != MDB_NOTFOUND) state.check(code, "write");
        return erased;
    }

    /// False when the map was full.
    bool commit() {
        if (full) return false;
        const int code = ::mdb_txn_commit(std::exchange(transaction, nullptr));
        if (code == MDB_MAP_FULL) return false;
        if (code != 0) {
            // After a full disk LMDB goes on from the commit before, unless the page that commits was what could not be
            // written: it then takes no transaction any more. Any other failure may have been the sync's. In both
            // cases nobody knows what the disk holds.
            const bool full_disk = code > 0 && errc_of(code, state.file) == Errc::disk_full;
            if (!full_disk || attempt([&] { state.give_back(state.take_reader()); }) != nullptr) state.poisoned = true;
            raise_lmdb(code, "commit to", state.file);
        }
        return true;
    }

    EnvironmentState& state;
    MDB_txn* transaction;  // null once committed

private:
    int reserve(Table table, std::string_view key, MDB_val& place, unsigned flags) const {
        MDB_val name = view_of(key);
        return ::mdb_put(transaction, state.tables[table], &name, &place, flags);
    }

    bool kept(int code) {
        full = code == MDB_MAP_FULL;
        if (!full) state.check(code, "write");
        return !full;
    }

    bool full = false;      // nothing more is put: all of it will be done again in a larger map
    bool ascending = true;  // every row so far came after the last one, which fills pages to the end
};

void WriteTransaction::put_row(std::uint64_t id, std::string_view row) {
    impl_->put(rows, RowKey(id).text(), row);
}

void WriteTransaction::put_key(std::string_view key, std::uint64_t id) {
    const std::uint64_t stored = little_endian(id);
    impl_->put(keys, key, {reinterpret_cast<const char*>(&stored), sizeof(stored)});
}

void WriteTransaction::put_state(std::string_view name, std::string_view record) {
    impl_->put(state_records, name, record);
}

void WriteTransaction::erase_row(std::uint64_t id) {
    impl_->erase(rows, RowKey(id).text());
}
std::uint64_t WriteTransaction::erase_rows(std::uint64_t first, std::uint64_t last) {
    return impl_->erase_rows(first, last);
}
void WriteTransaction::erase_key(std::string_view key) {
    impl_->erase(keys, key);
}

void Environment::write(const std::function<void(WriteTransaction&)>& fill) {
    EnvironmentState& state = *state_;
    state.check_usable();
    if (!may_write_) raise(Errc::read_only, state.file.string() + ": the collection was opened for reading");
    const std::lock_guard one_writer(state.writing);
    state.check_usable();  // who held it before may have failed, and left no file open
    const FileLimitGuard guard;
    for (;;) {
        {
            WriteTransaction::Impl transaction(state);
            WriteTransaction changes(transaction);
            fill(changes);
            if (transaction.commit()) return;
        }
        state.grow();
    }
}

}  // namespace kith::inline v0::detail
