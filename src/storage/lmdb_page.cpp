// src/storage/lmdb_page.cpp — header and nodes of a page.
#include "storage/lmdb_page.hpp"

#include <algorithm>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t node_header_bytes = 8;
constexpr std::uint16_t long_value = 0x01;
constexpr std::uint16_t table_value = 0x02;

constexpr std::size_t even(std::size_t bytes) noexcept {
    return bytes + (bytes & 1);
}

}  // namespace

LmdbPage::LmdbPage(std::string bytes, std::uint64_t number) : bytes_(std::move(bytes)) {
    read_header(number);
    if (!trouble_.has_value()) {
        read_nodes();
        return;
    }
    lower_ = std::min(lower_, bytes_.size());
    upper_ = lower_;
    for (std::size_t slot = lmdb_page_header_bytes; slot < lower_; slot += 2) static_cast<void>(read_node(slot));
}

void LmdbPage::fail(std::size_t offset, std::string what) {
    if (!trouble_.has_value()) trouble_ = Trouble{offset, std::move(what)};
}

void LmdbPage::read_header(std::uint64_t number) {
    const auto own_number = lmdb_number<std::uint64_t>(bytes_, 0);
    const auto flags = lmdb_number<std::uint16_t>(bytes_, 10);
    lower_ = lmdb_number<std::uint16_t>(bytes_, 12);
    upper_ = lmdb_number<std::uint16_t>(bytes_, 14);
    is_leaf_ = flags != lmdb_branch_page;
    if (own_number != number) {
        fail(0, "the page calls itself " + std::to_string(own_number) + ", not " + std::to_string(number));
    } else if (flags != lmdb_branch_page && flags != lmdb_leaf_page) {
        fail(10, "its flags are " + std::to_string(flags) + ", no page of a tree has these");
    } else if (lower_ < lmdb_page_header_bytes || lower_ % 2 != 0 || upper_ < lower_ || upper_ > bytes_.size()) {
        fail(12, "its entries reach to byte " + std::to_string(lower_) + " and from byte " + std::to_string(upper_) +
                     " of " + std::to_string(bytes_.size()));
    }
}

void LmdbPage::read_nodes() {
    std::size_t taken = 0;
    const std::size_t count = (lower_ - lmdb_page_header_bytes) / 2;
    nodes_.reserve(count);
    for (std::size_t slot = lmdb_page_header_bytes; slot < lower_; slot += 2) {
        if (!read_node(slot)) {
            fail(slot, "an entry does not lie in the page");
            continue;
        }
        const LmdbNode& node = nodes_.back();
        taken += even(node_header_bytes + node.key.size() + node.value.size());
    }
    if (taken != bytes_.size() - upper_) {
        fail(14, "its entries take " + std::to_string(taken) + " bytes, not " + std::to_string(bytes_.size() - upper_));
    } else if (!is_leaf_ && count < 2) {
        fail(12, "a page above the leaves leads to " + std::to_string(count) + " pages");
    }
}

bool LmdbPage::read_node(std::size_t slot) {
    LmdbNode node;
    node.offset = lmdb_number<std::uint16_t>(bytes_, slot);
    if (node.offset < upper_ || node.offset % 2 != 0 || node.offset + node_header_bytes > bytes_.size()) return false;
    const std::string_view rest = std::string_view(bytes_).substr(node.offset);
    const std::uint32_t low = lmdb_number<std::uint16_t>(rest, 0);
    const std::uint32_t high = lmdb_number<std::uint16_t>(rest, 2);
    const auto flags = lmdb_number<std::uint16_t>(rest, 4);
    const std::size_t key_bytes = lmdb_number<std::uint16_t>(rest, 6);
    if (rest.size() - node_header_bytes < key_bytes) return false;
    node.key = rest.substr(node_header_bytes, key_bytes);
    if (is_leaf_) {
        if (flags != 0 && flags != long_value && flags != table_value) return false;
        node.is_long = flags == long_value;
        node.is_table = flags == table_value;
        node.value_bytes = low | (high << 16);
        const std::size_t here = node.is_long ? sizeof(std::uint64_t) : node.value_bytes;
        if (rest.size() - node_header_bytes - key_bytes < here) return false;
        node.value = rest.substr(node_header_bytes + key_bytes, here);
    } else {
        node.child = low | (std::uint64_t{high} << 16) | (std::uint64_t{flags} << 32);
    }
    nodes_.push_back(node);
    return true;
}

}  // namespace kith::inline v0::detail
