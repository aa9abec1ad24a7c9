//! The C interface: the functions that PAM calls, the functions of libpam that the module calls, and what a program that
//! runs inside another one must ask the system for. The only unsafe code of Tombolo.
//!
//! No panic leaves this file: unwinding into C is undefined, and would end the login program at best.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::ptr::{self, NonNull};

use types::Secret;

use crate::code::{Code, Flags};
use crate::conversation::{Person, Wire};
use crate::helper::Helper;
use crate::module::{self, Host, Kept, Level};
use crate::options::Options;
use crate::protocol::User;

/// `pam_handle_t`, which only libpam looks into.
#[repr(C)]
pub(crate) struct Handle {
    _opaque: [u8; 0],
}

type Cleanup = unsafe extern "C" fn(*mut Handle, *mut c_void, c_int);

// By the name that is in every login program's memory already: no development package is needed, and programs that load
// libpam for themselves alone find its functions all the same.
#[link(name = "libpam.so.0", kind = "dylib", modifiers = "+verbatim")]
unsafe extern "C" {
    fn pam_get_user(handle: *mut Handle, user: *mut *const c_char, prompt: *const c_char) -> c_int;
    fn pam_get_item(handle: *const Handle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_prompt(
        handle: *mut Handle,
        style: c_int,
        response: *mut *mut c_char,
        format: *const c_char,
        ...
    ) -> c_int;
    fn pam_syslog(handle: *const Handle, priority: c_int, format: *const c_char, ...);
    fn pam_putenv(handle: *mut Handle, name_value: *const c_char) -> c_int;
    fn pam_set_data(
        handle: *mut Handle,
        name: *const c_char,
        data: *mut c_void,
        cleanup: Option<Cleanup>,
    ) -> c_int;
    fn pam_get_data(handle: *const Handle, name: *const c_char, data: *mut *const c_void) -> c_int;
    fn pam_modutil_getpwnam(handle: *mut Handle, name: *const c_char) -> *mut libc::passwd;
}

const ITEM_SERVICE: c_int = 1;
const ITEM_REMOTE_HOST: c_int = 4;
const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;
const ERROR_MESSAGE: c_int = 3;
const TEXT_INFO: c_int = 4;
/// What is formatted is always one string, so no text of anybody is ever a format.
const STRING: &CStr = c"%s";
const DATA: &CStr = c"pam_tombolo";

/// Lets somebody in, or not.
///
/// # Safety
/// PAM calls it, with its own handle and with `argc` words in `argv`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_authenticate(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { enter(handle, flags, argc, argv, module::authenticate) }
}

/// Puts tickets in place, or takes them away.
///
/// # Safety
/// As [`pam_sm_authenticate`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_setcred(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { enter(handle, flags, argc, argv, module::set_credentials) }
}

/// Says whether the account is good.
///
/// # Safety
/// As [`pam_sm_authenticate`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_acct_mgmt(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { enter(handle, flags, argc, argv, module::account_management) }
}

/// Puts tickets in place, where `pam_setcred` did not.
///
/// # Safety
/// As [`pam_sm_authenticate`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_open_session(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { enter(handle, flags, argc, argv, module::open_session) }
}

/// Takes tickets away.
///
/// # Safety
/// As [`pam_sm_authenticate`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_close_session(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { enter(handle, flags, argc, argv, module::close_session) }
}

/// Nothing.
///
/// # Safety
/// As [`pam_sm_authenticate`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_chauthtok(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { enter(handle, flags, argc, argv, module::change_token) }
}

/// From C into Rust and back, with no panic on the way.
///
/// # Safety
/// `handle` is PAM's, and `argv` points to `argc` words that live as long as the call.
unsafe fn enter(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
    act: fn(&mut dyn Host, &Options, Flags) -> Code,
) -> c_int {
    let Some(handle) = NonNull::new(handle) else {
        return Code::SYSTEM_ERR.0;
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's promise is the same.
        let words = unsafe { words(argc, argv) };
        let options = Options::parse(words.iter().map(String::as_str));
        act(&mut Pam(handle), &options, Flags(flags))
    }));
    ended.unwrap_or(Code::ABORT).0
}

/// # Safety
/// `argv` points to `argc` words.
unsafe fn words(argc: c_int, argv: *const *const c_char) -> Vec<String> {
    let count = usize::try_from(argc).unwrap_or_default();
    if argv.is_null() {
        return Vec::new();
    }
    (0..count)
        .filter_map(|index| {
            // SAFETY: `index` is below `argc`.
            let place = unsafe { argv.add(index) };
            // SAFETY: there is a pointer there.
            let word = unsafe { *place };
            // SAFETY: PAM's words end with a zero byte.
            unsafe { text(word) }
        })
        .collect()
}

/// A copy of a C string; nothing where there is none.
///
/// # Safety
/// `from` is null or points to a string that ends with a zero byte.
unsafe fn text(from: *const c_char) -> Option<String> {
    if from.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller says that it ends.
    let from = unsafe { CStr::from_ptr(from) };
    Some(from.to_string_lossy().into_owned())
}

/// A C string; a text with a zero byte inside is none, and counts as empty.
fn c_text(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// The login program.
struct Pam(NonNull<Handle>);

impl Pam {
    fn item(&self, item: c_int) -> Option<String> {
        let mut value = ptr::null();
        // SAFETY: the handle is PAM's, and `value` is a place for a pointer.
        let code = unsafe { pam_get_item(self.0.as_ptr(), item, &raw mut value) };
        if code != Code::SUCCESS.0 {
            return None;
        }
        // SAFETY: the two items that are asked for are strings of PAM's or null.
        unsafe { text(value.cast()) }
    }

    fn show(&self, style: c_int, text: &str) -> c_int {
        let text = c_text(text);
        // SAFETY: the handle is PAM's; no response is wanted; the one argument is the one string of the format.
        unsafe {
            pam_prompt(
                self.0.as_ptr(),
                style,
                ptr::null_mut(),
                STRING.as_ptr(),
                text.as_ptr(),
            )
        }
    }
}

impl Person for Pam {
    fn ask(&mut self, is_secret: bool, question: &str) -> Result<Secret<String>, Code> {
        let style = if is_secret {
            PROMPT_ECHO_OFF
        } else {
            PROMPT_ECHO_ON
        };
        let question = c_text(question);
        let mut response: *mut c_char = ptr::null_mut();
        // SAFETY: the handle is PAM's, `response` is a place for a pointer, and the one argument is the one string of the
        // format.
        let code = unsafe {
            pam_prompt(
                self.0.as_ptr(),
                style,
                &raw mut response,
                STRING.as_ptr(),
                question.as_ptr(),
            )
        };
        let Some(response) = NonNull::new(response) else {
            return Err(match Code(code) {
                Code::SUCCESS => Code::CONV_ERR,
                code => code,
            });
        };
        // SAFETY: libpam gave it: a string of malloc's, ours from now on.
        let answer = unsafe { take_answer(response) };
        if code != Code::SUCCESS.0 {
            return Err(Code(code));
        }
        answer.ok_or(Code::CONV_ERR)
    }

    fn tell(&mut self, is_error: bool, text: &str) {
        // A login program that shows nothing is no reason to stop.
        let _ = self.show(if is_error { ERROR_MESSAGE } else { TEXT_INFO }, text);
    }
}

/// Copies an answer, and leaves nothing of it in the memory of C. Nothing where it is no UTF-8, as no PIN of a key is.
///
/// # Safety
/// `response` is a string of malloc's that nobody else uses.
unsafe fn take_answer(response: NonNull<c_char>) -> Option<Secret<String>> {
    // SAFETY: it is a string that ends with a zero byte.
    let bytes = unsafe { CStr::from_ptr(response.as_ptr()) }.to_bytes();
    let length = bytes.len();
    let answer = std::str::from_utf8(bytes)
        .ok()
        .map(|answer| Secret::new(answer.to_owned()));
    // SAFETY: so many bytes belong to the string, and nobody looks at them any more.
    unsafe { libc::explicit_bzero(response.as_ptr().cast(), length) };
    // SAFETY: malloc gave it, and it is not used again.
    unsafe { libc::free(response.as_ptr().cast()) };
    answer
}

impl Host for Pam {
    fn user(&mut self) -> Result<String, Code> {
        let mut user = ptr::null();
        // SAFETY: the handle is PAM's, `user` is a place for a pointer, and PAM has a prompt of its own.
        let code = unsafe { pam_get_user(self.0.as_ptr(), &raw mut user, ptr::null()) };
        if code != Code::SUCCESS.0 {
            return Err(Code(code));
        }
        // SAFETY: a string of PAM's or null.
        unsafe { text(user) }
            .filter(|user| !user.is_empty())
            .ok_or(Code::USER_UNKNOWN)
    }

    fn account(&self, name: &str) -> Option<User> {
        let wanted = CString::new(name).ok()?;
        // SAFETY: the handle is PAM's, which keeps what is given until it ends; the name is a string.
        let found = unsafe { pam_modutil_getpwnam(self.0.as_ptr(), wanted.as_ptr()) };
        let found = NonNull::new(found)?;
        // SAFETY: a `struct passwd` that PAM keeps.
        let found = unsafe { found.as_ref() };
        Some(User {
            name: name.to_owned(),
            uid: found.pw_uid,
            gid: found.pw_gid,
        })
    }

    fn remote_host(&self) -> Option<String> {
        self.item(ITEM_REMOTE_HOST)
    }

    fn host_name(&self) -> String {
        let mut name = [0_u8; 256];
        // SAFETY: so many bytes are there to be written.
        let code = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
        match CStr::from_bytes_until_nul(&name) {
            Ok(name) if code == 0 => name.to_string_lossy().into_owned(),
            _ => String::new(),
        }
    }

    fn service(&self) -> String {
        self.item(ITEM_SERVICE).unwrap_or_default()
    }

    fn log(&self, level: Level, text: &str) {
        let priority = match level {
            Level::Error => libc::LOG_ERR,
            Level::Notice => libc::LOG_NOTICE,
            Level::Debug => libc::LOG_DEBUG,
        };
        let text = c_text(text);
        // SAFETY: the handle is PAM's, and the one argument is the one string of the format.
        unsafe { pam_syslog(self.0.as_ptr(), priority, STRING.as_ptr(), text.as_ptr()) };
    }

    fn set_environment(&mut self, name: &str, value: Option<&str>) {
        // Without a value, and without the sign, the variable goes.
        let text = c_text(&match value {
            Some(value) => format!("{name}={value}"),
            None => name.to_owned(),
        });
        // SAFETY: the handle is PAM's, which copies the text. A variable that was not there is no failure.
        let _ = unsafe { pam_putenv(self.0.as_ptr(), text.as_ptr()) };
    }

    fn keep(&mut self, kept: Kept) -> Result<(), Code> {
        let data = Box::into_raw(Box::new(Some(kept)));
        // SAFETY: the handle is PAM's, which calls `forget` for this box once, when it ends or gets another.
        let code =
            unsafe { pam_set_data(self.0.as_ptr(), DATA.as_ptr(), data.cast(), Some(forget)) };
        if code == Code::SUCCESS.0 {
            return Ok(());
        }
        // SAFETY: PAM did not take it, so it is still ours.
        drop(unsafe { Box::from_raw(data) });
        Err(Code(code))
    }

    fn take(&mut self) -> Option<Kept> {
        let mut data = ptr::null();
        // SAFETY: the handle is PAM's, and `data` is a place for a pointer.
        let code = unsafe { pam_get_data(self.0.as_ptr(), DATA.as_ptr(), &raw mut data) };
        if code != Code::SUCCESS.0 || data.is_null() {
            return None;
        }
        let kept: *mut Option<Kept> = data.cast_mut().cast();
        // SAFETY: under this name there is only what `keep` made, it lives until `forget`, and PAM has one caller at a time.
        unsafe { kept.as_mut() }?.take()
    }

    fn start(&mut self, options: &Options) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(Helper::start(options)?))
    }
}

/// PAM is done with what was kept.
///
/// # Safety
/// `data` is what [`Pam::keep`] gave, and this is its end.
unsafe extern "C" fn forget(_: *mut Handle, data: *mut c_void, _: c_int) {
    let data: *mut Option<Kept> = data.cast();
    if !data.is_null() {
        // A panic in here would leave for C; nothing in a box of strings panics, and it is caught all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: it came from a box, and nobody has it but this call.
            drop(unsafe { Box::from_raw(data) });
        }));
    }
}

/// Whether the login program has root's power.
pub(crate) fn is_root() -> bool {
    // SAFETY: it cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Sends, without the signal that a closed socket would send to the login program.
pub(crate) fn send(to: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let start = bytes.as_ptr().cast();
    // SAFETY: so many bytes are there to be read, and the socket is open.
    let sent = unsafe { libc::send(to.as_raw_fd(), start, bytes.len(), libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Has a new program inherit its standard streams, and no other file that the login program has open.
pub(crate) fn close_files_of_others(command: &mut Command) {
    let close = || {
        // Marked, not closed: the standard library has a pipe of its own open until the new program runs.
        let how = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
        // SAFETY: one call of the system, which touches no memory.
        let code = unsafe { libc::close_range(3, libc::c_uint::MAX, how) };
        // A kernel before 5.11 cannot; then what is left is what the login program itself lets go on, which all do who
        // start other programs.
        let _ = code;
        Ok(())
    };
    // SAFETY: the closure runs between fork and exec, and only makes a call that is safe in a signal handler.
    unsafe { command.pre_exec(close) };
}

/// As long as this lives, the end of a child is not taken for one of the login program's own, nor is the child waited for
/// by anybody else. `pam_unix` and `pam_exec` do the same.
pub(crate) struct ChildSignal {
    before: Option<libc::sigaction>,
}

impl ChildSignal {
    /// From now on.
    pub(crate) fn ours() -> Self {
        // SAFETY: all zero is a good `struct sigaction`: no flags, no signals, SIG_DFL.
        let default: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: the same.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: both are places for a `struct sigaction`.
        let code = unsafe { libc::sigaction(libc::SIGCHLD, &raw const default, &raw mut before) };
        Self {
            before: (code == 0).then_some(before),
        }
    }
}

impl Drop for ChildSignal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: the system gave `before`, and nothing is wanted back.
            unsafe { libc::sigaction(libc::SIGCHLD, before, ptr::null_mut()) };
        }
    }
}
