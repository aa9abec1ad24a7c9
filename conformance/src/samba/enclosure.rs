//! A network, a mount and a process namespace with a folder as the root of some of its programs.
//!
//! Everything in it ends with it, whatever happened: its first process reads from a pipe that this process holds, so the
//! kernel ends all others even when this process is killed. It leaves nothing on the host, not even a name.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::peers::program;

/// A running enclosure.
pub(super) struct Enclosure {
    first: Child,
    /// The process that holds the namespaces, as the host counts.
    pid: u32,
    root: PathBuf,
}

impl Enclosure {
    /// Starts one. `lab` appears as `/lab` in `root`; its `hosts` and `resolv.conf` count for all programs.
    pub(super) fn start(root: &Path, lab: &Path) -> Result<Self, String> {
        let mut command = Command::new(program("unshare"));
        command
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child=KILL"])
            .args(["/bin/sh", "-euc", SET_UP, "enclosure"])
            .args([root, lab])
            .arg(program("ip"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut first = command.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        let stdout = first.stdout.take().ok_or("no pipe")?;
        let read = BufReader::new(stdout).read_line(&mut line);
        let pid = read.ok().and_then(|_| line.trim().parse().ok());
        let mut enclosure = Self {
            first,
            pid: 0,
            root: root.to_owned(),
        };
        // The pipe is still ours, so a set-up that failed has nothing to wait for.
        enclosure.pid = pid.ok_or(
            "no namespaces could be made\nnext: be root, in a container one that may (CAP_SYS_ADMIN, CAP_NET_ADMIN)",
        )?;
        Ok(enclosure)
    }

    /// A program of the folder, which sees the folder as its root.
    pub(super) fn inside(&self, program: &str) -> Command {
        let mut command = self.enter();
        command.arg("chroot").arg(&self.root).arg(program);
        command
    }

    /// A program of the host, on the host's files, in this network.
    pub(super) fn beside(&self, program: &Path) -> Command {
        let mut command = self.enter();
        command.arg(program);
        command
    }

    /// Every process in it but the one that holds it, as the host counts.
    pub(super) fn processes(&self) -> Vec<u32> {
        let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let ours = namespace(self.pid);
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != self.pid && namespace(*pid) == ours)
            .collect()
    }

    /// The process whose namespaces they are.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    fn enter(&self) -> Command {
        let mut command = Command::new(program("nsenter"));
        let pid = self.pid.to_string();
        command.args(["--target", &pid, "--net", "--mount", "--pid", "--"]);
        command
    }
}

impl Drop for Enclosure {
    fn drop(&mut self) {
        drop(self.first.stdin.take());
        let _gone = self.first.kill();
        let _reaped = self.first.wait();
        // The namespaces end with their last process, a moment after the first.
        for _ in 0..500 {
            if !Path::new(&format!("/proc/{}", self.pid)).exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Arguments: the root, the lab's folder, the program `ip`. Says the holder's process id when all is ready.
const SET_UP: &str = r#"
read -r pid rest < /proc/self/stat
root=$1 lab=$2 ip=$3
"$ip" link set lo up
mount -t proc proc /proc
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$lab" "$root/lab"
for directory in run tmp var/lib/samba var/cache/samba; do
  mount -t tmpfs tmpfs "$root/$directory"
done
# winbindd dies without it, and takes samba along.
mkdir "$root/run/samba" "$root/var/lib/samba/private"
for file in hosts resolv.conf; do
  mount --bind "$lab/$file" "$root/etc/$file"
  mount --bind "$lab/$file" "/etc/$file"
done
echo "$pid"
exec cat > /dev/null
"#;
